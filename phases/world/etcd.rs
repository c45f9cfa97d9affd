//! etcd's own API, as phases see it: who is a member, who is well, and the three changes of membership.
//!
//! Every call names endpoints and the files that open them, since the files are those of the node and the endpoints those
//! of a cluster that is found out first.

use std::fmt;
use std::path::PathBuf;

use super::Undo;
use crate::problem::Explain;

/// The port to etcd.
pub trait Etcd {
    /// All members, by the first endpoint that answers.
    fn members(&self, access: &EtcdAccess) -> Result<Vec<EtcdMember>, EtcdError>;
    /// How the member behind one endpoint is; endpoints of `access` are not asked.
    fn status(&self, access: &EtcdAccess, endpoint: &str) -> Result<EtcdStatus, EtcdError>;
    /// Works out what would take a change back.
    fn prepare(&self, change: &MemberChange) -> Result<Undo, EtcdError>;
    /// Makes a change, by the first endpoint that answers.
    fn apply(&self, change: &MemberChange) -> Result<(), EtcdError>;
}

/// Where etcd answers, and the files with which it may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdAccess {
    /// `https://address:2379` of members, in the order in which they are tried.
    pub endpoints: Vec<String>,
    /// The CA that has signed the members' certificates, in PEM.
    pub ca: PathBuf,
    /// The client's certificate, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// The number by which etcd knows a member; written as `etcdctl` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MemberId(pub u64);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A member of an etcd cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdMember {
    /// Its number.
    pub id: MemberId,
    /// Its node's name; empty until it has started for the first time.
    pub name: String,
    /// `https://address:2380`: where other members reach it.
    pub peer_urls: Vec<String>,
    /// `https://address:2379`: where clients reach it; empty until it has started for the first time.
    pub client_urls: Vec<String>,
    /// Whether it follows without a vote.
    pub is_learner: bool,
}

impl EtcdMember {
    /// Whether it has been in touch with the others since it was added. Says nothing about how it is now.
    pub fn has_started(&self) -> bool {
        !self.name.is_empty()
    }

    /// Whether the others reach it under this URL.
    pub fn is_at(&self, peer_url: &str) -> bool {
        self.peer_urls.iter().any(|url| url == peer_url)
    }

    /// Its name, or its number as long as it has none.
    pub fn name_or_id(&self) -> String {
        if self.has_started() { self.name.clone() } else { self.id.to_string() }
    }
}

/// How a member is, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EtcdStatus {
    /// Who leads, as far as it knows; nobody when the majority is lost.
    pub leader: Option<MemberId>,
    /// Alarms and the like: `NOSPACE`, `CORRUPT`, `etcdserver: no leader`.
    pub errors: Vec<String>,
}

impl EtcdStatus {
    /// Why the member is not well, if it is not.
    pub fn ailment(&self) -> Option<String> {
        match (self.errors.is_empty(), self.leader) {
            (false, _) => Some(self.errors.join(", ")),
            (true, None) => Some("it knows no leader".to_owned()),
            (true, Some(_)) => None,
        }
    }
}

/// A change of an etcd cluster's membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// Whom to ask.
    pub access: EtcdAccess,
    /// The node whose member it is, for people.
    pub node: String,
    /// `https://address:2380` of the member, by which it is known before it has a number.
    pub peer_url: String,
    /// What happens to it.
    pub action: MemberAction,
}

/// What happens to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberAction {
    /// It is announced, so that it may start.
    Add {
        /// Without a vote at first.
        as_learner: bool,
    },
    /// It gets its vote.
    Promote(MemberId),
    /// It is no member any more.
    Remove(MemberId),
}

impl MemberAction {
    /// The word `etcdctl member` knows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Promote(_) => "promote",
            Self::Remove(_) => "remove",
        }
    }
}

impl MemberChange {
    /// What would take the change back, among the members of before.
    pub fn undo_among(&self, members: &[EtcdMember]) -> Undo {
        let why = match self.action {
            MemberAction::Add { .. } if members.iter().any(|member| member.is_at(&self.peer_url)) => {
                return Undo::Nothing;
            }
            MemberAction::Add { .. } => return Undo::RemoveMember { peer_url: self.peer_url.clone() },
            MemberAction::Promote(_) => "a member with a vote does not become a learner again; it can only be removed",
            MemberAction::Remove(_) => "a removed member does not come back; its node can only join anew, without data",
        };
        Undo::Impossible { why: why.to_owned() }
    }
}

impl fmt::Display for MemberChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, peer_url, .. } = self;
        match self.action {
            MemberAction::Add { as_learner: true } => write!(f, "add etcd member {node} at {peer_url} as a learner"),
            MemberAction::Add { as_learner: false } => write!(f, "add etcd member {node} at {peer_url}"),
            MemberAction::Promote(id) => write!(f, "give etcd member {node} ({id}) its vote"),
            MemberAction::Remove(id) => write!(f, "remove etcd member {node} ({id})"),
        }
    }
}

/// A call of etcd that failed.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// No connection, or no answer in time.
    #[error("cannot reach etcd at {endpoint}")]
    Unreachable {
        /// `https://address:2379`.
        endpoint: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// etcd answered with an error.
    #[error("etcd at {endpoint} refuses to {action}")]
    Refused {
        /// `https://address:2379`.
        endpoint: String,
        /// What was asked for.
        action: String,
        /// etcd's words.
        source: std::io::Error,
    },
    /// A certificate or key for the connection cannot be used.
    #[error("cannot use {path} to talk to etcd")]
    Credentials {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is nobody to ask.
    #[error("no endpoint of etcd is known")]
    NoEndpoint,
}

impl EtcdError {
    /// The reason without the frame around it, for a live line.
    pub fn reason(&self) -> String {
        match self {
            Self::Unreachable { source, .. } | Self::Refused { source, .. } | Self::Credentials { source, .. } => {
                source.to_string()
            }
            Self::NoEndpoint => self.to_string(),
        }
    }

    /// Whether another endpoint may answer what this one did not: it is silent, or has no vote.
    pub fn is_of_endpoint(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { source, .. } => source.to_string().contains("not supported for learner"),
            Self::Credentials { .. } | Self::NoEndpoint => false,
        }
    }
}

impl Explain for EtcdError {
    fn id(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "etcd-unreachable",
            Self::Refused { .. } => "etcd-refused",
            Self::Credentials { .. } => "etcd-credentials",
            Self::NoEndpoint => "etcd-no-endpoint",
        }
    }

    fn place(&self) -> Option<String> {
        match self {
            Self::Unreachable { endpoint, .. } | Self::Refused { endpoint, .. } => Some(endpoint.clone()),
            Self::Credentials { path, .. } => Some(path.clone()),
            Self::NoEndpoint => None,
        }
    }

    fn fixes(&self) -> Vec<String> {
        vec![match self {
            Self::Unreachable { endpoint, .. } => {
                let address = endpoint.trim_start_matches("https://").replace(':', " ");
                format!("see whether it answers, and check address and firewall: nc -zv {address}")
            }
            Self::Refused { .. } => {
                "look at etcd's log on that node: /var/log/pods/kube-system_etcd-*/etcd/*.log".to_owned()
            }
            Self::Credentials { path, .. } => format!("look at the file: {path}"),
            Self::NoEndpoint => {
                "look for etcd's Pods: kubectl -n kube-system get pods -l component=etcd -o wide".to_owned()
            }
        }]
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    fn refused(words: &str) -> EtcdError {
        let (endpoint, action) = ("https://10.77.0.11:2379".to_owned(), "add a member".to_owned());
        EtcdError::Refused { endpoint, action, source: Error::other(words.to_owned()) }
    }

    #[test]
    fn a_learner_sends_on_to_another_endpoint() {
        assert!(refused("etcdserver: rpc not supported for learner").is_of_endpoint());
        assert!(!refused("etcdserver: unhealthy cluster").is_of_endpoint());
    }

    #[test]
    fn a_member_without_leader_is_not_well() {
        let well = EtcdStatus { leader: Some(MemberId(1)), errors: Vec::new() };
        assert_eq!(well.ailment(), None);
        assert_eq!(EtcdStatus::default().ailment().as_deref(), Some("it knows no leader"));
        let full = EtcdStatus { errors: vec!["NOSPACE".to_owned()], ..well };
        assert_eq!(full.ailment().as_deref(), Some("NOSPACE"));
    }

    #[test]
    fn only_an_added_member_can_be_taken_back() {
        let peer_url = "https://10.77.0.12:2380".to_owned();
        let access =
            EtcdAccess { endpoints: Vec::new(), ca: PathBuf::new(), certificate: PathBuf::new(), key: PathBuf::new() };
        let change =
            |action| MemberChange { access: access.clone(), node: "n2".to_owned(), peer_url: peer_url.clone(), action };
        let add = change(MemberAction::Add { as_learner: true });
        let there = EtcdMember {
            id: MemberId(2),
            name: String::new(),
            peer_urls: vec![peer_url.clone()],
            client_urls: Vec::new(),
            is_learner: true,
        };
        assert_eq!(add.undo_among(&[]), Undo::RemoveMember { peer_url: peer_url.clone() });
        assert_eq!(add.undo_among(&[there]), Undo::Nothing);
        for action in [MemberAction::Promote(MemberId(2)), MemberAction::Remove(MemberId(2))] {
            assert!(matches!(change(action).undo_among(&[]), Undo::Impossible { .. }), "{action:?}");
        }
    }
}
