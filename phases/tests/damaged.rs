//! A power cut that leaves files of ours without content: the same command makes them again, or says why it cannot.
//! Never is there a mixture of old and new certificates.

use std::path::PathBuf;

use crate::config::Init;
use crate::plan::damage::{self, Harm};
use crate::stage::outcome::{Outcome, assert_certificates_fit};
use crate::stage::{Stage, init_job, join_job};
use crate::support::jobs::V1_36;
use crate::workflows::{INIT, JOIN};
use crate::world::{Host as _, KeyAlgorithm};

/// What cannot be made again alone: the others were signed with it.
const ROOTS: [&str; 7] =
    ["ca.crt", "ca.key", "etcd/ca.crt", "etcd/ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key"];

fn job() -> Init {
    let mut job = init_job(V1_36);
    job.cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
    job
}

fn ours(stage: &Stage) -> Vec<PathBuf> {
    let inventory = stage.within(|world| world.journal().inventory().unwrap());
    let is_link = |path: &&PathBuf| path.ends_with("kubelet-client-current.pem");
    let files: Vec<PathBuf> = inventory.files().map(|(path, _)| path.to_owned()).collect();
    files.iter().filter(|path| !is_link(path)).cloned().collect()
}

fn lose(stage: &Stage, path: &PathBuf) {
    let mode = stage.machine.stat(path).unwrap().unwrap().mode;
    stage.machine.put(&path.display().to_string(), "", mode);
    let inventory = stage.within(|world| world.journal().inventory().unwrap());
    let found = damage::look(&inventory, &stage.machine).unwrap();
    assert_eq!(found.iter().map(|damage| (&damage.path, damage.harm)).collect::<Vec<_>>(), [(path, Harm::Empty)]);
}

#[test]
fn whatever_file_of_init_lost_its_content_is_made_again_or_named() {
    let unbroken = Stage::ready(&V1_36, "n1");
    unbroken.run(&INIT, &job()).unwrap();
    let expected = Outcome::of(&unbroken);
    let files = ours(&unbroken);
    assert!(files.len() > 30, "{files:?}");
    let mut named = 0;
    for path in &files {
        let name = path.display().to_string();
        let stage = Stage::ready(&V1_36, "n1");
        stage.run(&INIT, &job()).unwrap();
        lose(&stage, path);
        let before = stage.machine.tree();
        let is_root = ROOTS.iter().any(|root| name == format!("/etc/kubernetes/pki/{root}"));
        let outcome = stage.run(&INIT, &job());
        let warnings = stage.told.warnings();
        let told = warnings.iter().find(|warning| warning.id == "FileIntact").expect("preflight tells");
        assert!(told.why.contains(&format!("a power cut leaves it: {name}")), "{told:?}");
        match outcome {
            Ok(()) => {
                assert!(!is_root, "{name} was made anew, and what it has signed was not");
                Outcome::of(&stage).assert_same(&expected, &name);
                assert_certificates_fit(&stage, &name);
            }
            Err(problem) => {
                assert_eq!((problem.id.as_str(), problem.place.as_deref()), ("certificate-lost", Some(&*name)));
                assert!(is_root && problem.fixes.len() == 2, "{name}: {problem:?}");
                assert!(stage.machine.tree() == before, "{name}: something was written");
                named += 1;
            }
        }
    }
    assert_eq!(named, ROOTS.len());
}

#[test]
fn whatever_file_of_join_lost_its_content_is_made_again() {
    let unbroken = Stage::ready_to_join(&V1_36);
    unbroken.run(&JOIN, &join_job(V1_36)).unwrap();
    let expected = Outcome::of(&unbroken);
    let files = ours(&unbroken);
    assert!(files.len() > 4, "{files:?}");
    for path in &files {
        let name = path.display().to_string();
        let stage = Stage::ready_to_join(&V1_36);
        stage.run(&JOIN, &join_job(V1_36)).unwrap();
        if stage.machine.stat(path).unwrap().is_none() {
            continue;
        }
        lose(&stage, path);
        stage.run(&JOIN, &join_job(V1_36)).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        assert_eq!(Outcome::of(&stage).files, expected.files, "{name}");
    }
}
