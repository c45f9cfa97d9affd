//! Phase `objects`: takes back what the run has changed in a cluster that goes on without it.

use std::path::PathBuf;

use super::UndoRun;
use crate::cluster_status::config_map;
use crate::counted;
use crate::plan::{Phase, Recorded, Verdict};
use crate::problem::Problem;
use crate::world::{Change, Content, Event, Identity, ObjectChange, ObjectRef, Undo, Verb, World};

/// What an API server adds: an object is put back whatever its version is now.
const OF_SERVER: [&str; 5] = ["resourceVersion", "uid", "managedFields", "creationTimestamp", "generation"];

/// The phase.
pub struct Objects;

impl Phase<UndoRun> for Objects {
    fn name(&self) -> &'static str {
        "objects"
    }

    fn about(&self) -> &'static str {
        "takes back what the run has changed in the cluster"
    }

    fn verdict(&self, job: &UndoRun) -> Verdict {
        if job.made_cluster {
            Verdict::Foreign("the cluster ends with this node".to_owned())
        } else if !job.changes.iter().any(|done| object(job, done).is_some()) {
            Verdict::Foreign("the run has changed no object".to_owned())
        } else {
            Verdict::Run
        }
    }

    fn run(&self, job: &UndoRun, world: &World<'_>) -> Result<(), Problem> {
        let mut count = 0;
        for done in job.changes.iter().rev() {
            let Some(object) = object(job, done) else { continue };
            let taken_back = match kubeconfig(job, done, world)? {
                Some(path) => take_back(done, object, Identity::Kubeconfig(path), world),
                None => Err(Problem::new("api-forbidden", "there is no kubeconfig on this machine")),
            };
            match taken_back {
                Ok(was_there) => count += usize::from(was_there),
                Err(problem) if problem.id == "api-forbidden" => tell_left(object, &problem, world),
                Err(problem) => return Err(problem),
            }
        }
        world.note(&format!("{} taken back", counted(count, "object")));
        Ok(())
    }
}

/// The object that a change concerns, where it can be taken back here. A request for a certificate passes by itself. The
/// Node of a machine that is none any more is deleted, and its entry in the list of API servers is taken out, by phases of
/// their own: put back whole, the list would lose whoever has joined since.
fn object<'a>(job: &UndoRun, done: &'a Recorded) -> Option<&'a ObjectRef> {
    match &done.undo {
        Undo::DeleteObject { object } | Undo::RestoreObject { object, .. } => {
            let goes = match object.kind.as_str() {
                "CertificateSigningRequest" => true,
                "Node" => job.made_node && object.name == job.reset.node.name.as_str(),
                "ConfigMap" => job.made_node && *object == config_map() && done.text("verb") == "patch",
                _ => false,
            };
            (!goes).then_some(object)
        }
        _ => None,
    }
}

fn tell_left(object: &ObjectRef, problem: &Problem, world: &World<'_>) {
    let left = Problem::new("object-left", format!("{object} stays as the run has left it"))
        .why(problem.to_string())
        .fix(format!("look at it with an administrator's kubeconfig: kubectl -n {} get {object}", object.namespace));
    world.tell(Event::Warning(&left));
}

/// The credentials with which the change was made, or an administrator's of this node.
fn kubeconfig(job: &UndoRun, done: &Recorded, world: &World<'_>) -> Result<Option<PathBuf>, Problem> {
    let named = PathBuf::from(done.text("as"));
    let own = job.reset.node.layout.kubeconfig("admin.conf");
    for path in [named, own] {
        if !path.as_os_str().is_empty() && world.host().stat(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn take_back(done: &Recorded, object: &ObjectRef, identity: Identity, world: &World<'_>) -> Result<bool, Problem> {
    let found = world.cluster().get(&identity, object)?;
    let (verb, body) = match &done.undo {
        Undo::RestoreObject { kept, .. } => {
            let Some(before) = world.host().read(kept)? else {
                return Err(Problem::new(
                    "undo-copy-missing",
                    format!("what {object} was before the run is not known"),
                )
                .at(kept.display().to_string())
                .why("the copy beside the journal is gone")
                .fix("take the node away with all that is ours: kubestrap reset"));
            };
            let mut before: serde_json::Value = serde_json::from_slice(&before).unwrap_or_default();
            if let Some(meta) = before["metadata"].as_object_mut() {
                meta.retain(|key, _| !OF_SERVER.contains(&key.as_str()));
            }
            (Verb::Put, before.to_string())
        }
        _ if found.is_none() => return Ok(false),
        _ => (Verb::Delete, String::new()),
    };
    let change = ObjectChange { identity, object: object.clone(), verb, body: Content::new(body) };
    world.change(&Change::Object(change))?;
    Ok(true)
}
