//! The connection to a container runtime: gRPC over its unix socket, in the CRI version that it speaks.
//!
//! Runtimes before containerd 1.6 and CRI-O 1.20 speak `v1alpha2` only. Its messages are those of `v1` to the byte, as far
//! as both have them; only the name of the service in the request's path differs, so it is replaced there.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{Request, Uri};
use hyper_util::rt::TokioIo;
use k8s_cri::v1::image_service_client::ImageServiceClient;
use k8s_cri::v1::runtime_service_client::RuntimeServiceClient;
use k8s_cri::v1::{VersionRequest, VersionResponse};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::{Service, service_fn};

/// How long connecting may take, including the first answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long an answer may take.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How many bytes an answer may have; a busy node's containers fill several MiB.
const ANSWER_SIZE: usize = 64 << 20;

/// An answer of the runtime; the status is boxed since it is large.
pub(super) type Answer<T> = Result<T, Box<Status>>;

/// The versions of CRI, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    V1,
    V1alpha2,
}

impl Api {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1alpha2 => "v1alpha2",
        }
    }
}

/// A channel that speaks one version of CRI.
#[derive(Debug, Clone)]
pub(super) struct Spoken<S> {
    inner: S,
    api: Api,
}

impl<S, B> Service<Request<B>> for Spoken<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.api == Api::V1alpha2 {
            *request.uri_mut() = in_v1alpha2(request.uri().clone());
        }
        self.inner.call(request)
    }
}

/// `/runtime.v1.RuntimeService/Version` becomes `/runtime.v1alpha2.RuntimeService/Version`.
fn in_v1alpha2(uri: Uri) -> Uri {
    let path = uri.path().replacen("/runtime.v1.", "/runtime.v1alpha2.", 1);
    let mut parts = uri.clone().into_parts();
    let Ok(path) = PathAndQuery::try_from(path) else { return uri };
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).unwrap_or(uri)
}

/// A connection to one runtime.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    channel: Spoken<Channel>,
    /// What it answered when it was asked who it is.
    pub(super) version: VersionResponse,
}

impl Connection {
    pub(super) fn api(&self) -> Api {
        self.channel.api
    }

    pub(super) fn runtime(&self) -> RuntimeServiceClient<Spoken<Channel>> {
        RuntimeServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_SIZE)
    }

    pub(super) fn images(&self) -> ImageServiceClient<Spoken<Channel>> {
        ImageServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_SIZE)
    }
}

/// Connects and finds out the version of CRI.
pub(super) async fn connect(socket: &str) -> io::Result<Connection> {
    let path = PathBuf::from(socket.strip_prefix("unix://").unwrap_or(socket));
    let limited = tokio::time::timeout(CONNECT_LIMIT, async {
        // tonic would wrap the kernel's answer in several others.
        drop(UnixStream::connect(&path).await?);
        let connector = service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        // The address is never used; gRPC wants one for its `authority`.
        let endpoint = Endpoint::from_static("http://localhost");
        let channel =
            endpoint.connect_with_connector(connector).await.map_err(|error| io::Error::other(root(&error)))?;
        speak(channel).await.map_err(|status| io::Error::other(words(&status)))
    });
    limited.await.unwrap_or_else(|_| {
        let text = format!("no answer within {} s", CONNECT_LIMIT.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    })
}

async fn speak(channel: Channel) -> Result<Connection, Box<Status>> {
    let mut refusal = None;
    for api in [Api::V1, Api::V1alpha2] {
        let channel = Spoken { inner: channel.clone(), api };
        let request = VersionRequest { version: api.name().to_owned() };
        match RuntimeServiceClient::new(channel.clone()).version(request).await {
            Ok(answer) => return Ok(Connection { channel, version: answer.into_inner() }),
            Err(status) if status.code() == Code::Unimplemented => {
                // The first answer names the version that is asked for nowadays.
                refusal.get_or_insert(status);
            }
            Err(status) => return Err(Box::new(status)),
        }
    }
    let told = refusal.map(|status| status.message().to_owned()).unwrap_or_default();
    Err(Box::new(Status::unimplemented(format!(
        "it serves no CRI ({told}); containerd does not when its configuration says disabled_plugins = [\"cri\"]"
    ))))
}

/// Waits for an answer, and takes silence for one.
pub(super) async fn limited<T>(
    limit: Duration,
    answer: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Answer<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map(tonic::Response::into_inner).map_err(Box::new),
        Err(_) => Err(Box::new(Status::deadline_exceeded(format!("no answer within {} s", limit.as_secs())))),
    }
}

/// A runtime's refusal in its own words.
pub(super) fn words(status: &Status) -> String {
    match (status.message(), status.source()) {
        ("" | "transport error", Some(source)) => root(source),
        ("", None) => status.code().description().to_owned(),
        (message, _) => message.to_owned(),
    }
}

/// The innermost cause.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Connections by socket, kept for the life of the process.
pub(super) type Connections = HashMap<String, Connection>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_runtime_is_asked_the_same_under_the_older_name() {
        for (path, expected) in [
            ("http://localhost/runtime.v1.RuntimeService/Version", "/runtime.v1alpha2.RuntimeService/Version"),
            ("http://localhost/runtime.v1.ImageService/PullImage", "/runtime.v1alpha2.ImageService/PullImage"),
        ] {
            let uri = in_v1alpha2(Uri::from_static(path));
            assert_eq!((uri.path(), uri.host()), (expected, Some("localhost")));
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_runtimes_words() {
        assert_eq!(words(&Status::not_found("no such sandbox")), "no such sandbox");
        assert_eq!(words(&Status::deadline_exceeded("")), Code::DeadlineExceeded.description());
    }
}
