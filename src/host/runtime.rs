//! What the container runtime is asked and told over CRI: its state, its images and sandboxes; pulling and removing.
//!
//! That its network is not ready is no matter here: before a Pod network is installed it never is.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use k8s_cri::v1::{
    CgroupDriver, ImageSpec, ListContainersRequest, ListImagesRequest, ListPodSandboxRequest, PullImageRequest,
    RemovePodSandboxRequest, RuntimeConfigRequest, StatusRequest, StatusResponse, StopPodSandboxRequest,
};
use kubestrap_phases::world::{HostError, ImagePull, RuntimeStatus};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::{Code, Request, Status};

use super::cri::{self, ANSWER_LIMIT, Answer, Connection, Connections, limited};
use super::sandboxes;

/// How long one try to pull one image may take; runtimes give up earlier when nothing arrives any more.
const PULL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How often a pull and a removal are tried, as kubeadm does.
const TRIES: u32 = 5;

/// What containerd refuses to stop or remove only for the moment. One that is being started is neither running, so that
/// stopping it does nothing, nor may it be removed: setContainerRemoving in containerd's pkg/cri (1.7: internal/cri).
const PASSING: [&str; 4] = [
    "container is in starting state",
    "container is already in removing state",
    "container is still running",
    "container state is unknown",
];

/// How patient tries are.
struct Patience {
    /// Pause after the first failed try; longer after each further one.
    pause: Duration,
    /// How long what passes by itself is waited for, however often that is tried.
    passing: Duration,
}

const PATIENCE: Patience = Patience { pause: Duration::from_millis(200), passing: Duration::from_secs(30) };

/// The runtimes of this host, connected to when they are first asked.
#[derive(Default)]
pub(super) struct Runtimes {
    tokio: OnceCell<Runtime>,
    connections: RefCell<Connections>,
}

impl Runtimes {
    /// Asks for everything at once.
    pub(super) fn status(&self, socket: &str) -> Result<RuntimeStatus, HostError> {
        self.talk(socket, "tell its state", status)
    }

    /// Pulls all images, several at once unless that is not wanted; an image that fails does not keep the others from being pulled.
    pub(super) fn pull(&self, pull: &ImagePull) -> Result<(), HostError> {
        let failures = self.talk(&pull.socket, "pull images", async |connection| {
            let mut pulled = Vec::new();
            let mut pulls = JoinSet::new();
            for image in &pull.images {
                let one = pull_one(connection.clone(), image.clone());
                if pull.is_serial {
                    pulled.push(one.await);
                } else {
                    pulls.spawn(one);
                }
            }
            pulled.extend(pulls.join_all().await);
            let failed = pulled.into_iter().filter_map(|(image, result)| Some((image, result.err()?)));
            Ok(failed.map(|(image, status)| (image, cri::words(&status))).collect::<BTreeMap<_, _>>())
        })?;
        if failures.is_empty() {
            return Ok(());
        }
        let images: Vec<&str> = failures.keys().map(String::as_str).collect();
        let reasons: Vec<String> = failures.iter().map(|(image, reason)| format!("{image}: {reason}")).collect();
        Err(failed(&pull.socket, &format!("pull {}", images.join(", ")), io::Error::other(reasons.join("\n"))))
    }

    /// Stops and removes a sandbox with its containers; gone already is fine.
    pub(super) fn remove_sandbox(&self, socket: &str, id: &str, pod: &str) -> Result<(), HostError> {
        self.talk(socket, &format!("remove the sandbox of Pod {pod}"), async |connection| {
            tries(&PATIENCE, || async {
                let (mut runtime, pod_sandbox_id) = (connection.runtime(), id.to_owned());
                let stop = StopPodSandboxRequest { pod_sandbox_id: pod_sandbox_id.clone() };
                gone_is_fine(limited(ANSWER_LIMIT, runtime.stop_pod_sandbox(stop)).await)?;
                let remove = RemovePodSandboxRequest { pod_sandbox_id };
                gone_is_fine(limited(ANSWER_LIMIT, runtime.remove_pod_sandbox(remove)).await)
            })
            .await
        })
    }

    /// Asks over the kept connection, or over a new one when there is none or the runtime was restarted since.
    fn talk<T>(&self, socket: &str, action: &str, ask: impl AsyncFn(Connection) -> Answer<T>) -> Result<T, HostError> {
        let failed = |source| failed(socket, action, source);
        let tokio = self.tokio()?;
        let refused = |status: &Status| failed(io::Error::other(cri::words(status)));
        let kept = self.connections.borrow().get(socket).cloned();
        if let Some(connection) = kept {
            match tokio.block_on(ask(connection)) {
                Ok(answer) => return Ok(answer),
                // What the runtime itself refuses has no source; a broken connection has.
                Err(status) if status.source().is_some() => {
                    self.connections.borrow_mut().remove(socket);
                }
                Err(status) => return Err(refused(&status)),
            }
        }
        let connection = tokio.block_on(cri::connect(socket)).map_err(failed)?;
        self.connections.borrow_mut().insert(socket.to_owned(), connection.clone());
        tokio.block_on(ask(connection)).map_err(|status| refused(&status))
    }

    fn tokio(&self) -> Result<&Runtime, HostError> {
        if let Some(tokio) = self.tokio.get() {
            return Ok(tokio);
        }
        let built = Builder::new_current_thread().enable_all().build();
        let built = built.map_err(|source| HostError::Fact { what: "what happens on sockets", source })?;
        Ok(self.tokio.get_or_init(|| built))
    }
}

fn failed(socket: &str, action: &str, source: io::Error) -> HostError {
    HostError::Runtime { socket: socket.to_owned(), action: action.to_owned(), source }
}

async fn tries<T, F: Future<Output = Answer<T>>>(patience: &Patience, once: impl Fn() -> F) -> Answer<T> {
    let began = Instant::now();
    let mut tried = 1;
    loop {
        match once().await {
            Err(status) if tried < TRIES || passes(&status) && began.elapsed() < patience.passing => {
                sleep(patience.pause * tried.min(TRIES)).await;
            }
            last => return last,
        }
        tried += 1;
    }
}

fn passes(status: &Status) -> bool {
    PASSING.iter().any(|words| status.message().contains(words))
}

fn gone_is_fine<T>(answer: Answer<T>) -> Answer<()> {
    match answer {
        Err(status) if status.code() != Code::NotFound => Err(status),
        _ => Ok(()),
    }
}

async fn pull_one(connection: Connection, image: String) -> (String, Answer<()>) {
    let pulled = tries(&PATIENCE, || {
        let spec = ImageSpec { image: image.clone(), ..ImageSpec::default() };
        let request = PullImageRequest { image: Some(spec), ..PullImageRequest::default() };
        let mut images = connection.images();
        async move { limited(PULL_LIMIT, images.pull_image(request)).await.map(|_| ()) }
    });
    let result = pulled.await;
    (image, result)
}

async fn status(connection: Connection) -> Answer<RuntimeStatus> {
    let runtime = || connection.runtime();
    let (mut telling, mut images) = (runtime(), connection.images());
    let (mut sandboxes, mut containers) = (runtime(), runtime());
    let (told, images, sandboxes, containers, cgroup_driver) = tokio::try_join!(
        limited(ANSWER_LIMIT, telling.status(Request::new(StatusRequest { verbose: true }))),
        limited(ANSWER_LIMIT, images.list_images(ListImagesRequest::default())),
        limited(ANSWER_LIMIT, sandboxes.list_pod_sandbox(ListPodSandboxRequest::default())),
        limited(ANSWER_LIMIT, containers.list_containers(ListContainersRequest::default())),
        systemd_cgroup(&connection),
    )?;
    let config = Config::read(&told);
    let sandboxes = sandboxes::together(&connection, sandboxes.items, containers.containers).await?;
    Ok(RuntimeStatus {
        name: connection.version.runtime_name.clone(),
        version: connection.version.runtime_version.clone(),
        api: connection.api().name().to_owned(),
        not_ready: not_ready(&told),
        sandbox_image: config.sandbox_image,
        systemd_cgroup: cgroup_driver.or(config.systemd_cgroup),
        tells_cgroup_driver: cgroup_driver.is_some(),
        root: config.root,
        images: images
            .images
            .into_iter()
            .flat_map(|image| image.repo_tags.into_iter().chain(image.repo_digests))
            .collect(),
        sandboxes,
    })
}

fn not_ready(told: &StatusResponse) -> Option<String> {
    let conditions = told.status.iter().flat_map(|status| &status.conditions);
    match conditions.into_iter().find(|condition| condition.r#type == "RuntimeReady") {
        Some(condition) if condition.status => None,
        Some(condition) => Some(format!("{}: {}", condition.reason, condition.message)),
        None => Some("it does not tell whether it is ready".to_owned()),
    }
}

/// What a runtime tells of its configuration among the verbose words of its status.
#[derive(Debug, Default, PartialEq, Eq)]
struct Config {
    sandbox_image: Option<String>,
    systemd_cgroup: Option<bool>,
    root: Option<PathBuf>,
}

impl Config {
    /// containerd puts its configuration under `config`; CRI-O and cri-dockerd put only the sandbox image there.
    fn read(told: &StatusResponse) -> Self {
        told.info
            .get("config")
            .and_then(|text| serde_json::from_str(text).ok())
            .map(|config| Self::of(&config))
            .unwrap_or_default()
    }

    fn of(config: &Value) -> Self {
        let text = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let handler = text("/containerd/defaultRuntimeName").unwrap_or("runc");
        let options = config.pointer("/containerd/runtimes").and_then(|runtimes| runtimes.get(handler)?.get("options"));
        Self {
            sandbox_image: text("/sandboxImage").map(str::to_owned),
            systemd_cgroup: options.and_then(|options| options.get("SystemdCgroup")?.as_bool()),
            root: text("/containerdRootDir").map(PathBuf::from),
        }
    }
}

/// Asks for the cgroup driver itself; runtimes before containerd 2.0 and CRI-O 1.28 do not know that question.
async fn systemd_cgroup(connection: &Connection) -> Answer<Option<bool>> {
    match limited(ANSWER_LIMIT, connection.runtime().runtime_config(RuntimeConfigRequest {})).await {
        Ok(answer) => Ok(answer.linux.map(|linux| linux.cgroup_driver() == CgroupDriver::Systemd)),
        Err(status) if status.code() == Code::Unimplemented => Ok(None),
        Err(status) => Err(status),
    }
}

#[cfg(test)]
#[path = "runtime_tests.rs"]
mod tests;
