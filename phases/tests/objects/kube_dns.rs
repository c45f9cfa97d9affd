//! Golden: where `dns.type` is kube-dns, phase `addon/coredns` makes the objects that a dry run of kubeadm 1.20.2 printed for
//! the same file, and `config images list` gives what kubeadm gave.
//!
//! Reads `testdata/kubeadm/v1.20.2/kube-dns`: per case the file, the objects and the images.

use serde_json::{Value, json};

use crate::addon::coredns::{self, CoreDns};
use crate::cluster_objects::{missing_in, name_of, significant};
use crate::config::{Init, InitFlags, resolve_init};
use crate::plan::Step;
use crate::releases::Image;
use crate::support::{Bench, NOW};
use crate::world::{Facts, Overlay};
use crate::yaml;

macro_rules! golden {
    ($case:literal) => {
        ($case, golden!(@ $case "-input.yaml"), golden!(@ $case ".yaml"), golden!(@ $case "-images.txt"))
    };
    (@ $case:literal $end:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/v1.20.2/kube-dns/", $case, $end))
    };
}

/// Name, file, objects and images.
const ALL: [(&str, &str, &str, &str); 3] = [golden!("default"), golden!("custom"), golden!("ipv6")];

static DNS: Step<Init> = Step::Phase(&CoreDns);

fn job(input: &str) -> Init {
    let mut host = Overlay::default().with_file("/c.yaml", input, 0o600);
    host.facts = Facts { host_name: "n1".into(), ..Facts::default() };
    let flags = InitFlags { config: Some("/c.yaml".into()), ..InitFlags::default() };
    resolve_init(&flags, &host, NOW, &Bench::default().entropy).expect("a job")
}

fn bench() -> Bench {
    let admin = include_str!("../../../testdata/kubeadm/v1.20.2/cluster/files/m1/etc/kubernetes/admin.conf");
    Bench::over(Overlay::default().with_file("/etc/kubernetes/admin.conf", &admin.replace("REDACTED", ""), 0o600))
}

#[test]
fn kube_dns_is_that_of_kubeadm() {
    for (case, input, objects, _) in ALL {
        let (bench, job) = (bench(), job(input));
        bench.run(&DNS, &job).expect(case);
        let sent = bench.overlay.objects();
        let mut expected: Vec<Value> = yaml::documents(objects).expect(case);
        expected.sort_by_key(name_of);
        let mut names: Vec<String> = sent.iter().map(name_of).collect();
        names.sort();
        assert_eq!(names, expected.iter().map(name_of).collect::<Vec<_>>(), "{case}");
        for sent in sent {
            let name = name_of(&sent);
            let expected = expected.iter().find(|object| name_of(object) == name).expect("compared above");
            assert_eq!(missing_in(expected, &sent, ""), Vec::<String>::new(), "{case} {name}: not in kubeadm's");
            assert_eq!(significant(&sent), significant(expected), "{case} {name}");
        }
        assert_eq!(coredns::manifests(&job.cluster).len(), 3, "{case}");
        let first = bench.overlay.changes().len();
        bench.run(&DNS, &job).expect(case);
        assert_eq!(bench.overlay.changes().len(), first, "{case}: a second run changes something");
    }
}

#[test]
fn its_images_come_in_kubeadms_order() {
    for (case, input, _, images) in ALL {
        assert_eq!(Image::of_control_plane(&job(input).cluster).join("\n"), images.trim_end(), "{case}");
    }
}

#[test]
fn the_live_number_of_replicas_is_kept() {
    let mut live: Value = yaml::documents(ALL[0].2).expect("objects").remove(1);
    live["spec"]["replicas"] = json!(3);
    live["spec"]["template"]["spec"]["containers"] = json!([]);
    let mut bench = bench();
    bench.overlay = bench.overlay.with_object(live);
    bench.run(&DNS, &job(ALL[0].1)).expect("done");
    let now = bench.overlay.objects().into_iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
    assert_eq!(now["spec"]["replicas"], 3);
    assert_eq!(now["spec"]["template"]["spec"]["containers"].as_array().map(Vec::len), Some(3));
}
