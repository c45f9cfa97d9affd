//! Renewal: what is kept, what is new, what is left alone, and what can be done where the CA's key is elsewhere.

use std::collections::BTreeSet;

use super::*;
use crate::config::{Init, Release};
use crate::plan::Workflow;
use crate::support::files::{certificate, changed, client, machine, made, text};
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init};
use crate::support::{Bench, NOW};
use crate::workflows::RENEW;
use crate::world::{Change, Clock, KeyAlgorithm, Overlay};

const LATER: Clock = Clock(NOW.0 + 300 * 24 * 3600);

fn job_of(init: &Init) -> RenewCerts {
    RenewCerts { cluster: init.cluster.clone(), layout: Layout::default(), requests: None }
}

fn renew(bench: &Bench, job: &RenewCerts, name: Option<&str>) -> Result<(), Problem> {
    bench.time.set(LATER);
    bench.run_workflow(&RENEW, job, name)
}

/// A new key each time: what the machine has already came from the same fixed keys.
fn with_other_keys(mut job: RenewCerts) -> RenewCerts {
    job.cluster.key_algorithm = KeyAlgorithm::EcdsaP384;
    job
}

#[test]
fn all_are_renewed_and_nothing_else_is_touched() {
    for release in [V1_20, V1_36] {
        let init = default_init(release.clone());
        let (before, job) = (made(&init), with_other_keys(job_of(&init)));
        let bench = machine(&before, &[], &[]);
        renew(&bench, &job, None).unwrap();
        let mut expected = BTreeSet::new();
        for managed in managed::ALL.iter().filter(|managed| managed.is_left_out(&job.cluster).is_none()) {
            match managed {
                Managed::Pair(spec) => {
                    expected.extend([format!("pki/{}.crt", spec.file), format!("pki/{}.key", spec.file)]);
                    let (old, new) = (certificate(&before, spec.file), certificate(&bench, spec.file));
                    is_successor(&old, &new, &certificate(&bench, spec.ca.file()), spec.name);
                    let key = PrivateKey::parse(&text(&bench, &format!("pki/{}.key", spec.file))).unwrap();
                    assert!(new.belongs_to(&key), "{}", spec.name);
                }
                Managed::Kubeconfig(spec) => {
                    expected.insert(spec.file.to_owned());
                    let ((old, _), (new, key)) = (client(&before, spec.file), client(&bench, spec.file));
                    is_successor(&old, &new, &certificate(&bench, "ca"), spec.file);
                    assert!(new.belongs_to(&PrivateKey::parse(&key).unwrap()), "{}", spec.file);
                }
            }
        }
        assert_eq!(changed(&bench).into_iter().collect::<BTreeSet<_>>(), expected, "{release}");
        for change in bench.overlay.changes() {
            let Change::File { path, mode, .. } = change else { panic!("{change:?}") };
            let is_public = path.extension().is_some_and(|end| end == "crt");
            assert_eq!(mode, if is_public { 0o644 } else { 0o600 }, "{}", path.display());
        }
    }
}

fn is_successor(old: &Certificate, new: &Certificate, ca: &Certificate, name: &str) {
    let said = |certificate: &Certificate| {
        let parsed = certificate.parsed();
        let usages = [15, 17, 37].map(|last| {
            let oid = x509_parser::der_parser::Oid::from(&[2, 5, 29, last]).unwrap();
            let found = parsed.get_extension_unique(&oid).unwrap();
            found.map(|extension| (extension.critical, extension.value.to_vec()))
        });
        (parsed.subject().as_raw().to_vec(), usages)
    };
    assert_eq!(said(old), said(new), "{name}");
    assert!(new.is_signed_by(ca) && !new.is_ca, "{name}");
    assert_ne!(old.key_sha256, new.key_sha256, "{name}");
    assert_eq!(new.not_after, LATER.plus(std::time::Duration::from_secs(8760 * 3600)), "{name}");
}

#[test]
fn one_alone_is_renewed_alone_and_its_key_goes_first() {
    let init = default_init(V1_20);
    let bench = machine(&made(&init), &[], &[]);
    renew(&bench, &with_other_keys(job_of(&init)), Some("etcd-peer")).unwrap();
    assert_eq!(changed(&bench), ["pki/etcd/peer.key", "pki/etcd/peer.crt"]);
}

#[test]
fn key_kind_and_validity_are_the_clusters() {
    let init = custom_init(V1_36);
    let bench = machine(&made(&default_init(V1_36)), &[], &[]);
    renew(&bench, &job_of(&init), None).unwrap();
    let (admin, key) = client(&bench, "admin.conf");
    let until = LATER.plus(init.cluster.certificate_validity);
    for (name, found) in [("apiserver", certificate(&bench, "apiserver")), ("admin.conf", admin)] {
        assert_eq!(found.not_after, until, "{name}");
    }
    for key in [key, text(&bench, "pki/etcd/server.key")] {
        assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----"));
    }
}

#[test]
fn names_groups_and_usages_of_the_old_one_are_kept_though_the_configuration_says_others() {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType};
    let init = default_init(V1_20);
    let before = made(&init);
    let ca_key = PrivateKey::parse(&text(&before, "pki/ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_der(&certificate(&before, "ca").der().to_vec().into(), ca_key.pair).unwrap();
    let mut params = CertificateParams::new(["api.example.com".to_owned(), "10.1.2.3".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "one");
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 10]), "two");
    params.distinguished_name.push(DnType::OrganizationalUnitName, "unit");
    params.distinguished_name.push(DnType::CommonName, "somebody else");
    params.subject_alt_names.push(SanType::URI("spiffe://example.com/api".try_into().unwrap()));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.is_ca = IsCa::NoCa;
    let (not_before, not_after) =
        (time::OffsetDateTime::UNIX_EPOCH, time::OffsetDateTime::from_unix_timestamp(1_900_000_000));
    (params.not_before, params.not_after) = (not_before, not_after.unwrap());
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = params.signed_by(&key, &issuer).unwrap().pem();
    let bench = machine(&before, &[], &[("pki/apiserver.crt", &pem), ("pki/apiserver.key", &key.serialize_pem())]);
    renew(&bench, &job_of(&init), Some("apiserver")).unwrap();
    let (old, new) = (Certificate::parse_all(&pem).unwrap().remove(0), certificate(&bench, "apiserver"));
    is_successor(&old, &new, &certificate(&bench, "ca"), "apiserver");
    assert_eq!(new.organizations, ["one", "two"]);
}

#[test]
fn a_kubeconfig_keeps_all_but_certificate_and_key() {
    let init = default_init(V1_20);
    let before = made(&init);
    let mine = text(&before, "admin.conf")
        .replace("https://10.77.0.11:6443", "https://lb.example.com")
        .replace("contexts:\n", "contexts:\n- context: {cluster: other, namespace: team, user: me}\n  name: mine\n")
        .replace("users:\n", "users:\n- name: me\n  user: {token: abc}\n");
    let bench = machine(&before, &[], &[("admin.conf", &mine)]);
    renew(&bench, &job_of(&init), Some("admin.conf")).unwrap();
    let parsed = |text: &str| crate::yaml::parse::<serde_json::Value>(text).unwrap();
    let (mut old, mut new) = (parsed(&mine), parsed(&text(&bench, "admin.conf")));
    assert_ne!(old, new);
    for file in [&mut old, &mut new] {
        file["users"][1]["user"] = serde_json::Value::Null;
    }
    assert_eq!(old, new);
}

#[test]
fn a_kubeconfig_learns_of_a_ca_that_was_replaced_and_keeps_a_bundle_that_has_it() {
    let init = default_init(V1_20);
    let before = made(&init);
    let other = Bench::default();
    other.run(&crate::plan::Step::Phase(&super::super::ServiceAccountKeys), &init).unwrap();
    other.run(&crate::plan::Step::CERTS, &init).unwrap();
    let replaced = [("pki/ca.crt", text(&other, "pki/ca.crt")), ("pki/ca.key", text(&other, "pki/ca.key"))];
    let replaced: Vec<(&str, &str)> = replaced.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let bench = machine(&before, &[], &replaced);
    renew(&bench, &job_of(&init), Some("scheduler.conf")).unwrap();
    let trusted =
        |bench: &Bench| kubeconfig::parse(&text(bench, "scheduler.conf")).unwrap().ca_pem().unwrap().to_owned();
    assert_eq!(trusted(&bench), text(&other, "pki/ca.crt"));

    let bundle = format!("{}{}", text(&before, "pki/ca.crt"), text(&other, "pki/ca.crt"));
    let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let with_bundle = text(&before, "scheduler.conf").replace(&encode(&text(&before, "pki/ca.crt")), &encode(&bundle));
    let bench = machine(&before, &[], &[&replaced[..], &[("scheduler.conf", &with_bundle)]].concat());
    renew(&bench, &job_of(&init), Some("scheduler.conf")).unwrap();
    assert_eq!(trusted(&bench), bundle);
}

#[test]
fn a_missing_one_is_noted_and_an_unreadable_one_ends_the_run() {
    let init = default_init(V1_20);
    let before = made(&init);
    let bench = machine(&before, &["pki/apiserver.crt"], &[]);
    renew(&bench, &job_of(&init), Some("apiserver")).unwrap();
    assert_eq!(bench.recorder.lines(), ["note: nothing to renew: /etc/kubernetes/pki/apiserver.crt is not there"]);
    assert_eq!(bench.overlay.changes(), []);

    for (name, file, id) in
        [("apiserver", "pki/apiserver.crt", "certificate-damaged"), ("admin.conf", "admin.conf", "kubeconfig-damaged")]
    {
        let bench = machine(&before, &[], &[(file, "")]);
        let problem = renew(&bench, &job_of(&init), Some(name)).expect_err(name);
        assert_eq!(problem.id, id);
        assert!(problem.fixes[0].contains("&& kubestrap init phase "), "{:?}", problem.fixes);
    }
    let token = "clusters: [{name: a, cluster: {server: 'https://a:1'}}]\ncurrent-context: c\n\
        contexts: [{name: c, context: {cluster: a, user: u}}]\nusers: [{name: u, user: {token: t}}]\n";
    let bench = machine(&before, &[], &[("admin.conf", token)]);
    assert_eq!(renew(&bench, &job_of(&init), Some("admin.conf")).unwrap_err().id, "kubeconfig-no-certificate");
}

/// A run stopped between the two files of a pair leaves a pair that does not fit; the next run mends it.
#[test]
fn a_run_that_stopped_between_key_and_certificate_is_mended_by_the_next() {
    let init = default_init(V1_20);
    let before = made(&init);
    let bench = machine(&before, &[], &[("pki/apiserver.key", crate::support::FixedEntropy::OTHERS[0])]);
    renew(&bench, &job_of(&init), Some("apiserver")).unwrap();
    let key = PrivateKey::parse(&text(&bench, "pki/apiserver.key")).unwrap();
    assert!(certificate(&bench, "apiserver").belongs_to(&key));
}

fn settings_of(init: &Init) -> Settings {
    Settings { cluster: init.cluster.clone(), layout: Layout::default(), warning: None }
}

#[test]
fn without_the_cas_key_it_is_refused_or_only_what_another_ca_signs_is_renewed() {
    let init = default_init(V1_20);
    let before = made(&init);
    let bench = machine(&before, &["pki/ca.key"], &[]);
    let resolved = |name: Option<&str>| resolve(settings_of(&init), name, None, &bench.overlay);
    let problem = resolved(Some("admin.conf")).unwrap_err();
    assert_eq!(
        (problem.id.as_str(), problem.place.as_deref()),
        ("renewal-elsewhere", Some("/etc/kubernetes/pki/ca.key"))
    );
    assert!(problem.fixes[0].contains("kubestrap certs renew admin.conf --csr-only --csr-dir"));
    renew(&bench, &resolved(None).unwrap(), None).unwrap();
    let touched = changed(&bench);
    assert!(touched.contains(&"pki/etcd/server.crt".to_owned()) && !touched.contains(&"admin.conf".to_owned()));
    let warnings = bench.recorder.lines().iter().filter(|line| line.contains("cannot be renewed on this node")).count();
    assert_eq!(warnings, 5);

    let bench = machine(&before, &["pki/ca.key", "pki/front-proxy-ca.key", "pki/etcd/ca.key"], &[]);
    let problem = resolve(settings_of(&init), None, None, &bench.overlay).unwrap_err();
    assert_eq!(problem.what, "none of 10 certificates can be renewed on this node");
}

#[test]
fn requests_are_for_the_old_names_and_leave_what_is_in_use_alone() {
    let init = default_init(V1_20);
    let bench = machine(&made(&init), &["pki/ca.key"], &[]);
    let folder = Path::new("/etc/kubernetes/requests");
    let job = resolve(settings_of(&init), None, Some(folder), &bench.overlay).unwrap();
    renew(&bench, &job, None).unwrap();
    let files = changed(&bench);
    assert_eq!(files.len(), 20);
    assert!(files.iter().all(|file| file.starts_with("requests/")), "{files:?}");
    for file in ["etcd-server.key", "etcd-server.csr", "admin.conf.csr", "scheduler.conf.key"] {
        assert!(files.contains(&format!("requests/{file}")), "{file}");
    }
    let request = rcgen::CertificateSigningRequestParams::from_pem(&text(&bench, "requests/etcd-server.csr")).unwrap();
    assert_eq!(request.params.subject_alt_names.len(), 5);
    // Again: the keys and requests that are there will do.
    let again = bench.overlay.changes().len();
    renew(&bench, &job, None).unwrap();
    assert_eq!(bench.overlay.changes().len(), again);
}

#[test]
fn what_has_to_start_again_is_what_uses_the_renewed_and_runs_here() {
    let init = default_init(V1_20);
    let manifests = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
        .map(|name| format!("manifests/{name}.yaml"));
    let all: Vec<(&str, &str)> = manifests.iter().map(|name| (name.as_str(), "")).collect();
    for (name, without, files, expected) in [
        (None, vec![], &all[..], "etcd kube-apiserver kube-controller-manager kube-scheduler"),
        (None, vec![], &all[1..2], "kube-apiserver"),
        (None, vec!["pki/ca.key"], &all[..], "etcd kube-apiserver"),
        (Some("scheduler.conf"), vec![], &all[..], "kube-scheduler"),
        (Some("scheduler.conf"), vec!["scheduler.conf"], &all[..], ""),
        (Some("admin.conf"), vec![], &all[..], ""),
        (Some("etcd-healthcheck-client"), vec![], &all[..], ""),
    ] {
        let bench = machine(&made(&init), &without, files);
        let found = restarts(&job_of(&init), name, &bench.overlay).unwrap();
        assert_eq!(found.join(" "), expected, "{name:?} {without:?}");
    }
}

#[test]
fn nothing_is_there_on_a_worker() {
    static ONLY: &Workflow<RenewCerts> = &RENEW;
    let init = default_init(Release::new(29, 0));
    let bench = Bench::over(Overlay::default());
    bench.run_workflow(ONLY, &job_of(&init), None).unwrap();
    assert_eq!(bench.overlay.changes(), []);
}
