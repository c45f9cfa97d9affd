//! The overlay's etcd: members in memory, over those of a real etcd or over nobody.
//!
//! Adds, promotes and removes as etcd does. Who does not answer is up to the owner, and a member starts when the owner says
//! so: nobody starts in a dry run, where it gets its vote all the same.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};

use super::{
    Change, Etcd, EtcdAccess, EtcdError, EtcdMember, EtcdStatus, MemberAction, MemberChange, MemberId, Overlay, Undo,
};

/// Members in memory.
#[derive(Default)]
pub(super) struct MemoryEtcd<'a> {
    pub(super) base: Option<&'a dyn Etcd>,
    /// By peer URL; `None` for one that was removed here.
    members: RefCell<BTreeMap<String, Option<EtcdMember>>>,
    /// Endpoints that do not answer.
    silent: RefCell<BTreeSet<String>>,
}

impl<'a> Overlay<'a> {
    /// Puts a member there that runs, without counting it as a change.
    #[must_use]
    pub fn with_member(self, name: &str, address: &str) -> Self {
        let peer_url = format!("https://{address}:2380");
        let member = EtcdMember {
            id: id_of(&peer_url),
            name: name.to_owned(),
            peer_urls: vec![peer_url.clone()],
            client_urls: vec![format!("https://{address}:2379")],
            is_learner: false,
        };
        self.etcd.members.borrow_mut().insert(peer_url, Some(member));
        self
    }

    /// The members that were put or added here.
    pub fn etcd_members(&self) -> Vec<EtcdMember> {
        self.etcd.members.borrow().values().flatten().cloned().collect()
    }

    /// Lets the program of an announced member start, as the kubelet does. Says whether there is such a member.
    pub fn start_member(&self, peer_url: &str, name: &str, client_url: &str) -> bool {
        let mut members = self.etcd.members.borrow_mut();
        let Some(Some(member)) = members.get_mut(peer_url) else { return false };
        name.clone_into(&mut member.name);
        member.client_urls = vec![client_url.to_owned()];
        true
    }

    /// From now on nobody answers at these endpoints, and everybody else does.
    pub fn silence(&self, endpoints: &[&str]) {
        *self.etcd.silent.borrow_mut() = endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect();
    }

    /// The real etcd, for those whose credentials are real.
    fn real_etcd(&self, access: &EtcdAccess) -> Option<&'a dyn Etcd> {
        if access.endpoints.is_empty() || self.has_own(&access.key) { None } else { self.etcd.base }
    }

    /// One of the endpoints answers, or there is none to ask: a dry run on a machine that has no credentials yet.
    fn answering(&self, access: &EtcdAccess) -> Result<(), EtcdError> {
        let silent = self.etcd.silent.borrow();
        match access.endpoints.first() {
            Some(first) if access.endpoints.iter().all(|endpoint| silent.contains(endpoint)) => Err(unreachable(first)),
            _ => Ok(()),
        }
    }

    fn known(&self, access: &EtcdAccess) -> Result<Vec<EtcdMember>, EtcdError> {
        let mut found = match self.real_etcd(access) {
            Some(base) => base.members(access)?,
            None => Vec::new(),
        };
        for (peer_url, member) in self.etcd.members.borrow().iter() {
            found.retain(|known| !known.is_at(peer_url));
            found.extend(member.clone());
        }
        found.sort_by_key(|member| member.id);
        Ok(found)
    }
}

impl Etcd for Overlay<'_> {
    fn members(&self, access: &EtcdAccess) -> Result<Vec<EtcdMember>, EtcdError> {
        self.answering(access)?;
        self.known(access)
    }

    fn status(&self, access: &EtcdAccess, endpoint: &str) -> Result<EtcdStatus, EtcdError> {
        if self.etcd.silent.borrow().contains(endpoint) {
            return Err(unreachable(endpoint));
        }
        match self.real_etcd(access) {
            Some(base) => base.status(access, endpoint),
            None => Ok(EtcdStatus { leader: Some(MemberId(1)), errors: Vec::new() }),
        }
    }

    fn prepare(&self, change: &MemberChange) -> Result<Undo, EtcdError> {
        self.answering(&change.access)?;
        Ok(change.undo_among(&self.known(&change.access)?))
    }

    fn apply(&self, change: &MemberChange) -> Result<(), EtcdError> {
        self.answering(&change.access)?;
        let members = self.known(&change.access)?;
        let refused = |words: &str| EtcdError::Refused {
            endpoint: change.access.endpoints.first().cloned().unwrap_or_default(),
            action: change.to_string(),
            source: Error::other(format!("etcdserver: {words}")),
        };
        let found = members.iter().find(|member| member.is_at(&change.peer_url)).cloned();
        let after = match (change.action, found) {
            (MemberAction::Add { .. }, Some(_)) => return Err(refused("Peer URLs already exists")),
            (MemberAction::Add { as_learner: true }, None) if members.iter().any(|member| member.is_learner) => {
                return Err(refused("too many learner members in cluster"));
            }
            (MemberAction::Add { as_learner }, None) => Some(EtcdMember {
                id: id_of(&change.peer_url),
                name: String::new(),
                peer_urls: vec![change.peer_url.clone()],
                client_urls: Vec::new(),
                is_learner: as_learner,
            }),
            (MemberAction::Promote(id) | MemberAction::Remove(id), found)
                if found.as_ref().map(|member| member.id) != Some(id) =>
            {
                return Err(refused("member not found"));
            }
            (MemberAction::Promote(_), found) => found.map(|member| EtcdMember { is_learner: false, ..member }),
            (MemberAction::Remove(_), _) => None,
        };
        self.etcd.members.borrow_mut().insert(change.peer_url.clone(), after);
        self.record(Change::Member(change.clone()));
        Ok(())
    }
}

fn unreachable(endpoint: &str) -> EtcdError {
    EtcdError::Unreachable { endpoint: endpoint.to_owned(), source: Error::from(ErrorKind::ConnectionRefused) }
}

/// A number that depends on the URL alone, as etcd's does on URL and time.
fn id_of(peer_url: &str) -> MemberId {
    let digest = super::sha256_hex(peer_url.as_bytes());
    MemberId(u64::from_str_radix(&digest[..16], 16).expect("a digest is hexadecimal"))
}
