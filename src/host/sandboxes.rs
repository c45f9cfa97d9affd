//! Pod sandboxes with their containers, put together from a runtime's lists, newest first.
//!
//! Of each container only the newest attempt counts. Only one that has exited is asked for one by one: the lists tell
//! neither exit code nor log, and where the kubelet has logs written is known.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use k8s_cri::v1::{Container, ContainerState, ContainerStatusRequest, PodSandbox};
use kubestrap_phases::world::{ContainerInfo, Sandbox};
use tonic::Code;

use super::cri::{ANSWER_LIMIT, Answer, Connection, limited};

/// What the kubelet labels every sandbox of its with:
/// <https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/kubelet/pkg/types/labels.go>.
const KUBELETS_LABEL: &str = "io.kubernetes.pod.uid";

/// Joins the lists.
pub(super) async fn together(
    connection: &Connection,
    sandboxes: Vec<PodSandbox>,
    containers: Vec<Container>,
) -> Answer<Vec<Sandbox>> {
    let mut by_sandbox = newest(containers);
    let mut found = Vec::new();
    for sandbox in newest_first(sandboxes) {
        let containers = by_sandbox.remove(&sandbox.id).unwrap_or_default();
        found.push(with_containers(connection, sandbox, containers).await?);
    }
    Ok(found)
}

fn newest_first(mut sandboxes: Vec<PodSandbox>) -> Vec<PodSandbox> {
    sandboxes.sort_by_key(|sandbox| std::cmp::Reverse(sandbox.created_at));
    sandboxes
}

/// By sandbox, of each container name the newest one.
fn newest(mut containers: Vec<Container>) -> HashMap<String, BTreeMap<String, Container>> {
    containers.sort_by_key(|container| container.created_at);
    let mut found: HashMap<String, BTreeMap<String, Container>> = HashMap::new();
    for container in containers {
        let name = container.metadata.as_ref().map(|metadata| metadata.name.clone()).unwrap_or_default();
        found.entry(container.pod_sandbox_id.clone()).or_default().insert(name, container);
    }
    found
}

async fn with_containers(
    connection: &Connection,
    sandbox: PodSandbox,
    containers: BTreeMap<String, Container>,
) -> Answer<Sandbox> {
    let metadata = sandbox.metadata.unwrap_or_default();
    // Where the kubelet lets runtimes write: <namespace>_<name>_<uid>/<container>/<attempt>.log
    let logs =
        PathBuf::from("/var/log/pods").join(format!("{}_{}_{}", metadata.namespace, metadata.name, metadata.uid));
    let mut found = Vec::new();
    for (name, container) in containers {
        let state = container.state();
        let attempt = container.metadata.map(|metadata| metadata.attempt).unwrap_or_default();
        let mut known = ContainerInfo {
            id: container.id,
            log: logs.join(&name).join(format!("{attempt}.log")),
            name,
            state: state_word(state).to_owned(),
            attempt,
            exit_code: 0,
            reason: String::new(),
        };
        if state == ContainerState::ContainerExited {
            ask_for_the_end(connection, &mut known).await?;
        }
        found.push(known);
    }
    Ok(Sandbox {
        id: sandbox.id,
        name: metadata.name,
        namespace: metadata.namespace,
        is_of_kubelet: sandbox.labels.contains_key(KUBELETS_LABEL),
        containers: found,
    })
}

fn state_word(state: ContainerState) -> &'static str {
    match state {
        ContainerState::ContainerCreated => "created",
        ContainerState::ContainerRunning => "running",
        ContainerState::ContainerExited => "exited",
        ContainerState::ContainerUnknown => "unknown",
    }
}

/// Exit code and log are told per container only. One that was removed since keeps what is known.
async fn ask_for_the_end(connection: &Connection, known: &mut ContainerInfo) -> Answer<()> {
    let request = ContainerStatusRequest { container_id: known.id.clone(), verbose: false };
    match limited(ANSWER_LIMIT, connection.runtime().container_status(request)).await {
        Ok(answer) => {
            let status = answer.status.unwrap_or_default();
            known.exit_code = status.exit_code;
            known.reason = status.reason;
            if !status.log_path.is_empty() {
                known.log = PathBuf::from(status.log_path);
            }
            Ok(())
        }
        Err(status) if status.code() == Code::NotFound => Ok(()),
        Err(status) => Err(status),
    }
}

#[cfg(test)]
mod tests {
    use k8s_cri::v1::ContainerMetadata;

    use super::*;

    #[test]
    fn of_each_container_the_newest_attempt_counts() {
        let container = |name: &str, attempt: u32, created_at: i64| Container {
            pod_sandbox_id: "sandbox".to_owned(),
            metadata: Some(ContainerMetadata { name: name.to_owned(), attempt }),
            created_at,
            ..Container::default()
        };
        let found = newest(vec![container("etcd", 2, 30), container("etcd", 1, 20), container("init", 0, 10)]);
        let attempts: Vec<_> = found["sandbox"]
            .iter()
            .map(|(name, newest)| (&**name, newest.metadata.as_ref().unwrap().attempt))
            .collect();
        assert_eq!(attempts, [("etcd", 2), ("init", 0)]);
    }

    #[test]
    fn the_newest_sandbox_comes_first() {
        let sandbox = |id: &str, created_at| PodSandbox { id: id.to_owned(), created_at, ..PodSandbox::default() };
        let ids: Vec<_> =
            newest_first(vec![sandbox("old", 1), sandbox("new", 2)]).into_iter().map(|found| found.id).collect();
        assert_eq!(ids, ["new", "old"]);
    }
}
