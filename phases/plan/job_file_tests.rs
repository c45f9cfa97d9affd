//! A run that is gone on with draws what the first one drew, and is held to what was asked of it.

use serde_json::json;

use super::*;
use crate::plan::{RunHead, Store as _};
use crate::support::{FixedEntropy, MemoryStore};

fn asked(subnet: &str) -> Asked {
    [("networking.podSubnet", subnet), ("bootstrapTokens[0]", "sha256:aa")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn draw(resumed: &Resumed, entropy: &FixedEntropy) -> Vec<u8> {
    let mut bytes = vec![0; 5];
    resumed.draws(entropy).bytes(&mut bytes);
    bytes
}

/// A store in which a run of `init` was killed after its first change; gives what it drew.
fn killed(entropy: &FixedEntropy) -> (MemoryStore, Vec<u8>) {
    let store = MemoryStore::default();
    let journal = Journal::new(&store);
    let resumed = Resumed::look("init", &journal).unwrap();
    let drawn = draw(&resumed, entropy);
    let kept = resumed.keep("init", asked("10.244.0.0/16")).unwrap();
    journal.begin(RunHead::whole("init", 7), Some(kept.text().reveal().clone()));
    journal.open().unwrap();
    (store, drawn)
}

#[test]
fn the_same_bytes_are_drawn_again_and_new_ones_after_them() {
    let entropy = FixedEntropy::default();
    let (store, drawn) = killed(&entropy);
    let journal = Journal::new(&store);
    let resumed = Resumed::look("init", &journal).unwrap();
    assert_eq!((draw(&resumed, &entropy), draw(&resumed, &entropy) == drawn), (drawn, false));
    resumed.keep("init", asked("10.244.0.0/16")).unwrap();
}

#[test]
fn what_differs_is_named_and_refused_until_the_run_is_done() {
    let (store, _) = killed(&FixedEntropy::default());
    let journal = Journal::new(&store);
    let resumed = Resumed::look("init", &journal).unwrap();
    let mut other = asked("10.245.0.0/16");
    other.insert("bootstrapTokens[0]".to_owned(), "sha256:bb".to_owned());
    other.insert("apiServer.extraArgs.v".to_owned(), "4".to_owned());
    let problem = resumed.keep("init", other.clone()).unwrap_err();
    let expected = "apiServer.extraArgs.v: was not given, is 4\n\
        bootstrapTokens[0]: was another, is another\n\
        networking.podSubnet: was 10.244.0.0/16, is 10.245.0.0/16";
    assert_eq!((problem.id.as_str(), problem.saw.as_deref()), ("run-changed", Some(expected)));
    assert!(problem.fixes[0].contains("--restart"), "{problem:?}");
    let journal = Journal::new(&store);
    journal.begin(RunHead { continues: true, ..RunHead::whole("init", 8) }, Some("{}".to_owned()));
    journal.open().unwrap();
    journal.end(None).unwrap();
    assert_eq!(store.job().unwrap(), None);
    Resumed::look("init", &Journal::new(&store)).unwrap().keep("init", other).unwrap();
}

#[test]
fn another_workflow_does_not_begin_before_the_first_is_finished_or_taken_back() {
    let (store, _) = killed(&FixedEntropy::default());
    let journal = Journal::new(&store);
    let problem = Resumed::look("join", &journal).unwrap_err();
    assert_eq!((problem.id.as_str(), problem.fixes[0].as_str()), ("run-unfinished", "take it back: kubestrap undo"));
    // A phase that is run alone meanwhile neither finishes the run nor replaces it.
    journal.begin(RunHead::part("init", 9), None);
    journal.open().unwrap();
    journal.end(None).unwrap();
    assert_eq!(journal.unfinished().unwrap().unwrap().started, 7);
}

#[test]
fn journals_of_the_first_releases_are_gone_on_with_and_those_of_later_ones_refused() {
    let store = MemoryStore::default();
    store.append(&json!({"run": {"version": 1, "command": "init", "started": 5}}).to_string(), true).unwrap();
    store
        .append(&json!({"n": 1, "phase": "certs/ca", "change": {}, "undo": {"kind": "nothing"}}).to_string(), true)
        .unwrap();
    let journal = Journal::new(&store);
    let resumed = Resumed::look("init", &journal).unwrap();
    assert_eq!(resumed.unfinished.as_ref().map(|run| run.phase.as_str()), Some("certs/ca"));
    resumed.keep("init", asked("10.244.0.0/16")).unwrap();
    store.append(&json!({"run": {"version": 2, "command": "init", "started": 6}}).to_string(), true).unwrap();
    assert_eq!(Resumed::look("init", &journal).unwrap_err().id, "journal-version");
}
