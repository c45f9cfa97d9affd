//! What the file phases of `init` write, compared with what kubeadm wrote for the same input.
//!
//! Reads `testdata/kubeadm/*/{default,custom}`. Manifests and kubeconfigs are compared line by line; certificates as the
//! summary that openssl prints. Known differences are listed in `testdata/kubeadm/DIFFERENCES.md`.

pub(crate) mod summary;

use std::collections::BTreeMap;

use crate::certs::certificate::{Certificate, PrivateKey};
use crate::config::Init;
use crate::kubeconfig::{Credentials, Kubeconfig, Source};
use crate::plan::{Step, Workflow};
use crate::support::Bench;
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init};
use crate::world::Change;
use crate::yaml;

/// What kubeadm wrote for one input.
struct Golden {
    name: &'static str,
    job: fn() -> Init,
    manifests: [(&'static str, &'static str); 4],
    certificates: &'static str,
    kubeconfigs: &'static str,
    modes: &'static str,
}

macro_rules! golden {
    ($case:literal, $job:expr) => {
        Golden {
            name: $case,
            job: || $job,
            manifests: [
                ("etcd", golden!(@ $case "manifests/etcd.yaml")),
                ("kube-apiserver", golden!(@ $case "manifests/kube-apiserver.yaml")),
                ("kube-controller-manager", golden!(@ $case "manifests/kube-controller-manager.yaml")),
                ("kube-scheduler", golden!(@ $case "manifests/kube-scheduler.yaml")),
            ],
            certificates: golden!(@ $case "certificates.txt"),
            kubeconfigs: golden!(@ $case "kubeconfigs.txt"),
            modes: golden!(@ $case "modes.txt"),
        }
    };
    (@ $case:literal $file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/", $case, "/", $file))
    };
}

const ALL: [Golden; 4] = [
    golden!("v1.20.2/default", default_init(V1_20)),
    golden!("v1.20.2/custom", custom_init(V1_20)),
    golden!("v1.36.2/default", default_init(V1_36)),
    golden!("v1.36.2/custom", custom_init(V1_36)),
];

/// The phases of `init` that only write files.
static FILES: Workflow<Init> =
    Workflow { name: "init", early: &[], steps: &[Step::CERTS, Step::KUBECONFIG, Step::ETCD, Step::CONTROL_PLANE] };

fn written_by(job: &Init) -> Bench {
    let bench = Bench::default();
    bench.run_workflow(&FILES, job, None).unwrap();
    bench
}

/// Sections that begin with `== name`.
fn sections(text: &str) -> BTreeMap<String, String> {
    let parts = text.split("== ").filter(|part| !part.trim().is_empty());
    parts.map(|part| part.split_once('\n').unwrap()).map(|(name, body)| (name.to_owned(), body.to_owned())).collect()
}

#[test]
fn manifests_are_those_of_kubeadm() {
    for golden in ALL {
        let bench = written_by(&(golden.job)());
        for (component, expected) in golden.manifests {
            let ours = bench.text(&format!("/etc/kubernetes/manifests/{component}.yaml"));
            // Written again by our writer, which quotes more than kubeadm's.
            let expected: serde_json::Value =
                yaml::parse(&expected.replace("  creationTimestamp: null\n", "")).unwrap();
            let expected = yaml::write(&expected);
            let differs = ours.lines().zip(expected.lines()).find(|(ours, theirs)| ours != theirs);
            assert_eq!(differs, None, "{} {component}", golden.name);
            assert_eq!(ours.lines().count(), expected.lines().count(), "{} {component}", golden.name);
        }
    }
}

#[test]
fn certificates_say_what_those_of_kubeadm_say() {
    for golden in ALL {
        let bench = written_by(&(golden.job)());
        for (file, expected) in sections(golden.certificates) {
            let pem = bench.text(&file.replace("./", "/etc/kubernetes/"));
            assert_eq!(summary::of(&pem), expected, "{} {file}", golden.name);
        }
    }
}

#[test]
fn certificates_belong_to_their_keys_and_are_signed_by_their_ca() {
    for golden in ALL {
        let bench = written_by(&(golden.job)());
        let read =
            |name: &str| Certificate::parse_all(&bench.text(&format!("/etc/kubernetes/pki/{name}.crt"))).unwrap();
        for (name, ca) in [
            ("ca", "ca"),
            ("apiserver", "ca"),
            ("apiserver-kubelet-client", "ca"),
            ("front-proxy-ca", "front-proxy-ca"),
            ("front-proxy-client", "front-proxy-ca"),
            ("etcd/ca", "etcd/ca"),
            ("etcd/server", "etcd/ca"),
            ("etcd/peer", "etcd/ca"),
            ("etcd/healthcheck-client", "etcd/ca"),
            ("apiserver-etcd-client", "etcd/ca"),
        ] {
            let key = PrivateKey::parse(&bench.text(&format!("/etc/kubernetes/pki/{name}.key"))).unwrap();
            assert!(read(name)[0].is_signed_by(&read(ca)[0]), "{} {name}", golden.name);
            assert!(read(name)[0].belongs_to(&key), "{} {name}", golden.name);
        }
    }
}

#[test]
fn kubeconfigs_are_those_of_kubeadm_but_for_keys() {
    for golden in ALL {
        let bench = written_by(&(golden.job)());
        let expected = sections(golden.kubeconfigs);
        for (file, expected) in &expected {
            let text = bench.text(&format!("/etc/kubernetes/{file}"));
            let subject = summary::subject(&client_certificate(&crate::kubeconfig::parse(&text).unwrap()));
            let ours: String = text.lines().map(|line| omit_data(line) + "\n").collect();
            assert_eq!(format!("{ours}{subject}\n"), *expected, "{} {file}", golden.name);
        }
        let super_admin =
            bench.overlay.written().contains_key(std::path::Path::new("/etc/kubernetes/super-admin.conf"));
        assert_eq!(super_admin, expected.contains_key("super-admin.conf"), "{}", golden.name);
    }
}

fn client_certificate(config: &Kubeconfig) -> String {
    match &config.credentials {
        Credentials::Certificate { certificate: Source::Text(pem), .. } => pem.reveal().clone(),
        other => panic!("no embedded certificate: {other:?}"),
    }
}

fn omit_data(line: &str) -> String {
    match line.split_once("-data: ") {
        Some((key, _)) => format!("{key}-data: <omitted>"),
        None => line.to_owned(),
    }
}

#[test]
fn files_have_the_modes_of_kubeadm() {
    for golden in ALL {
        let bench = written_by(&(golden.job)());
        for (mode, file) in golden.modes.lines().filter_map(|line| line.split_once(" ./")) {
            // The kubelet's files are made by other phases.
            if ["config.yaml", "instance-config.yaml", "kubeadm-flags.env"].contains(&file) {
                continue;
            }
            assert_eq!(format!("{:o}", bench.mode(&format!("/etc/kubernetes/{file}"))), mode, "{} {file}", golden.name);
        }
    }
}

#[test]
fn a_second_run_changes_nothing() {
    for golden in ALL {
        let job = (golden.job)();
        let bench = written_by(&job);
        let changes = bench.overlay.changes().len();
        bench.run_workflow(&FILES, &job, None).unwrap();
        assert_eq!(bench.overlay.changes().len(), changes, "{}", golden.name);
        assert!(bench.recorder.lines().iter().all(|line| line.starts_with("note: for ")), "{}", golden.name);
    }
}

#[test]
fn a_phase_run_alone_says_which_phase_makes_what_it_needs() {
    for (only, fix) in [
        ("certs/apiserver", "kubestrap init phase certs ca"),
        ("kubeconfig/admin", "kubestrap init phase certs ca"),
        ("etcd/local", "kubestrap init phase certs etcd-server"),
        ("control-plane/apiserver", "kubestrap init phase certs apiserver"),
        ("control-plane/scheduler", "kubestrap init phase kubeconfig scheduler"),
    ] {
        let problem = Bench::default().run_workflow(&FILES, &default_init(V1_20), Some(only)).expect_err(only);
        assert_eq!((problem.id.as_str(), problem.fixes[0].as_str()), ("artifact-missing", fix), "{only}");
    }
}

#[test]
fn manifests_lie_in_a_folder_of_root_alone() {
    let bench = written_by(&default_init(V1_20));
    let folders: Vec<String> = bench.overlay.changes().iter().map(Change::summary).collect();
    for folder in ["/etc/kubernetes/manifests (0700)", "/var/lib/etcd (0700)", "/etc/kubernetes/pki/etcd (0755)"] {
        assert!(folders.contains(&format!("make folder {folder}")), "{folder}");
    }
}
