//! Calls of etcd: gRPC over TLS with the node's own client certificate, one connection per call. Owns the deadlines;
//! who is asked, how often, and what an answer means is the phases' matter.

use std::io;
use std::path::Path;
use std::time::Duration;

use kubestrap_phases::world::{
    Etcd, EtcdAccess, EtcdError, EtcdMember, EtcdStatus, MemberAction, MemberChange, MemberId, Undo,
};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::client::innermost;
use super::etcd_api::{
    Empty, MEMBER_ADD, MEMBER_LIST, MEMBER_PROMOTE, MEMBER_REMOVE, MemberAddRequest, MemberIdRequest,
    MemberListRequest, MemberListResponse, STATUS, StatusResponse, ask,
};

/// How long connecting may take, the handshake included, as in kubeadm.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How long a look may take, as in kubeadm.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
/// How long a change may take. etcd itself gives up after 7 s, and then says why.
const CHANGE_LIMIT: Duration = Duration::from_secs(8);

/// Members of etcd clusters, by their endpoints.
pub(crate) struct EtcdServers {
    runtime: Runtime,
}

impl EtcdServers {
    /// Connects to nobody yet.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()? })
    }

    /// Asks one endpoint.
    fn ask<Q, A>(&self, tls: &ClientTlsConfig, endpoint: &str, call: &Call, question: Q) -> Result<A, EtcdError>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let unreachable =
            |cause: String| EtcdError::Unreachable { endpoint: endpoint.to_owned(), source: io::Error::other(cause) };
        self.runtime.block_on(async {
            let connected = tokio::time::timeout(CONNECT_LIMIT, connect(tls.clone(), endpoint)).await;
            let silence = |limit: Duration| unreachable(format!("no answer within {} s", limit.as_secs()));
            let channel =
                connected.map_err(|_| silence(CONNECT_LIMIT))?.map_err(|error| unreachable(innermost(&error)))?;
            let answer = tokio::time::timeout(call.limit, ask(channel, call.method, question)).await;
            answer.map_err(|_| silence(call.limit))?.map_err(|status| {
                if std::error::Error::source(&*status).is_some() {
                    // Not etcd's answer: the connection broke, as it does when a certificate is not accepted.
                    return unreachable(innermost(&*status));
                }
                EtcdError::Refused {
                    endpoint: endpoint.to_owned(),
                    action: call.action.clone(),
                    source: io::Error::other(status.message().to_owned()),
                }
            })
        })
    }

    /// Asks one endpoint after the other until one answers. The first one's silence says more than the last one's.
    fn ask_any<Q, A>(&self, access: &EtcdAccess, call: &Call, question: &Q) -> Result<A, EtcdError>
    where
        Q: Message + Clone + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let tls = tls(access)?;
        let mut first = None;
        for endpoint in &access.endpoints {
            match self.ask(&tls, endpoint, call, question.clone()) {
                Err(error) if error.is_of_endpoint() => first = first.or(Some(error)),
                answer => return answer,
            }
        }
        Err(first.unwrap_or(EtcdError::NoEndpoint))
    }
}

/// A method, and how it is spoken of.
struct Call {
    method: &'static str,
    action: String,
    limit: Duration,
}

impl Call {
    fn look(method: &'static str, action: &str) -> Self {
        Self { method, action: action.to_owned(), limit: LOOK_LIMIT }
    }
}

impl Etcd for EtcdServers {
    fn members(&self, access: &EtcdAccess) -> Result<Vec<EtcdMember>, EtcdError> {
        let call = Call::look(MEMBER_LIST, "list its members");
        let answer: MemberListResponse = self.ask_any(access, &call, &MemberListRequest { linearizable: true })?;
        let members = answer.members.into_iter().map(|member| EtcdMember {
            id: MemberId(member.id),
            name: member.name,
            peer_urls: member.peer_urls,
            client_urls: member.client_urls,
            is_learner: member.is_learner,
        });
        Ok(members.collect())
    }

    fn status(&self, access: &EtcdAccess, endpoint: &str) -> Result<EtcdStatus, EtcdError> {
        let call = Call::look(STATUS, "tell how it is");
        let status: StatusResponse = self.ask(&tls(access)?, endpoint, &call, Empty {})?;
        Ok(EtcdStatus { leader: (status.leader != 0).then_some(MemberId(status.leader)), errors: status.errors })
    }

    fn prepare(&self, change: &MemberChange) -> Result<Undo, EtcdError> {
        match change.action {
            MemberAction::Add { .. } => Ok(change.undo_among(&self.members(&change.access)?)),
            MemberAction::Promote(_) | MemberAction::Remove(_) => Ok(change.undo_among(&[])),
        }
    }

    fn apply(&self, change: &MemberChange) -> Result<(), EtcdError> {
        let call = |method| Call { method, action: change.to_string(), limit: CHANGE_LIMIT };
        let access = &change.access;
        let Empty {} = match change.action {
            MemberAction::Add { as_learner } => {
                let question = MemberAddRequest { peer_urls: vec![change.peer_url.clone()], is_learner: as_learner };
                self.ask_any(access, &call(MEMBER_ADD), &question)
            }
            MemberAction::Promote(MemberId(id)) => self.ask_any(access, &call(MEMBER_PROMOTE), &MemberIdRequest { id }),
            MemberAction::Remove(MemberId(id)) => self.ask_any(access, &call(MEMBER_REMOVE), &MemberIdRequest { id }),
        }?;
        Ok(())
    }
}

/// A connection of its own for each call: there are few, and each learns why it failed.
async fn connect(tls: ClientTlsConfig, endpoint: &str) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(endpoint.to_owned())?.tls_config(tls)?.connect().await
}

/// Read anew each time: a phase before may have made the files.
fn tls(access: &EtcdAccess) -> Result<ClientTlsConfig, EtcdError> {
    let identity = Identity::from_pem(read(&access.certificate)?, read(&access.key)?);
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&access.ca)?)).identity(identity))
}

fn read(path: &Path) -> Result<Vec<u8>, EtcdError> {
    std::fs::read(path).map_err(|source| EtcdError::Credentials { path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// Endpoints, and files that open nothing.
    fn access(name: &str, endpoints: &[&str]) -> EtcdAccess {
        let folder = std::env::temp_dir().join(format!("kubestrap-etcd-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["etcd".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        let file = |name: &str, text: &str| -> PathBuf {
            fs::write(folder.join(name), text).unwrap();
            folder.join(name)
        };
        EtcdAccess {
            endpoints: endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect(),
            ca: file("ca.crt", &certificate),
            certificate: file("client.crt", &certificate),
            key: file("client.key", &key.serialize_pem()),
        }
    }

    /// A port of this machine on which nobody listens.
    fn closed() -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("https://{}", listener.local_addr().unwrap())
    }

    #[test]
    fn an_endpoint_that_does_not_answer_is_named_with_the_cause() {
        let (first, second) = (closed(), closed());
        let access = access("closed", &[&first, &second]);
        let error = EtcdServers::new().unwrap().members(&access).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot reach etcd at {first}"));
        assert!(error.reason().contains("refused"), "{error:?}");
        fs::remove_dir_all(access.ca.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let access =
            EtcdAccess { key: "/nonexistent/client.key".into(), ..access("missing", &["https://127.0.0.1:1"]) };
        let error = EtcdServers::new().unwrap().status(&access, "https://127.0.0.1:1").unwrap_err();
        assert!(error.to_string().contains("/nonexistent/client.key"), "{error}");
        fs::remove_dir_all(access.ca.parent().unwrap()).unwrap();
    }

    #[test]
    fn without_an_endpoint_nobody_is_asked() {
        let access = access("nobody", &[]);
        let error = EtcdServers::new().unwrap().members(&access).unwrap_err();
        assert!(matches!(error, EtcdError::NoEndpoint), "{error:?}");
        fs::remove_dir_all(access.ca.parent().unwrap()).unwrap();
    }

    /// Field 1 is a text, field 2 a truth, as in rpc.proto.
    #[test]
    fn a_request_is_written_as_etcd_reads_it() {
        let request = MemberAddRequest { peer_urls: vec!["https://n2:2380".to_owned()], is_learner: true };
        assert_eq!(request.encode_to_vec(), b"\x0a\x0fhttps://n2:2380\x10\x01");
    }
}
