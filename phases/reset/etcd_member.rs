//! Phase `remove-etcd-member`: takes this node's member out of a stacked etcd that has others. Reads etcd's manifest, or the
//! journal of a join that was broken off, for the member's address; removes it through the others.
//!
//! The last member has nobody to be removed from. An etcd that does not answer is warned of and does not hold up the reset;
//! one that would lose its majority does, while nothing on this machine is removed yet.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::reachable;
use crate::config::{Layout, Reset};
use crate::etcd::local::flag_of;
use crate::etcd::members::{self, PAUSE, Sick};
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Change, EtcdAccess, EtcdMember, Event, MemberAction, MemberChange, MemberId, Wait, World};
use crate::yaml;

/// How long etcd may refuse for reasons that pass. kubeadm tries for 2 min; a reset should not take that long.
const LIMIT: Duration = Duration::from_secs(30);

/// Phase `remove-etcd-member`.
pub struct RemoveEtcdMember;

impl Phase<Reset> for RemoveEtcdMember {
    fn name(&self) -> &'static str {
        "remove-etcd-member"
    }

    fn about(&self) -> &'static str {
        "takes this node's member out of etcd"
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        let Some(own) = Own::of(job, world)? else {
            let is_control_plane = world.host().stat(&job.node.layout.manifest("kube-apiserver"))?.is_some();
            world.note(if is_control_plane { "etcd is external: its data is left to you" } else { "no local etcd" });
            return Ok(());
        };
        if world.journal().inventory()?.has_left_etcd(&own.peer_url) {
            world.note("removed before");
            return Ok(());
        }
        let access = own.access(job, world)?;
        let members = match world.etcd().members(&access) {
            Ok(members) => members,
            Err(error) => {
                warn(own.left(job, &format!("etcd does not answer: {}", error.reason()), None), world);
                return Ok(());
            }
        };
        let (mine, others): (Vec<EtcdMember>, Vec<EtcdMember>) =
            members.into_iter().partition(|member| member.is_at(&own.peer_url));
        let Some(mine) = mine.into_iter().next() else {
            world.note("etcd does not count this node");
            return Ok(());
        };
        if !others.iter().any(|other| other.has_started() && !other.is_learner) {
            world.note("last member: the cluster ends here");
            return Ok(());
        }
        match standing(&mine, &others, &access, world)? {
            Standing::Safe => own.remove(job, &mine, &others, world),
            Standing::Needed(ailing) => Err(needed(job, &ailing)),
            Standing::Lost(ailing) => {
                let why = format!("etcd has lost its majority already: {ailing}");
                warn(own.left(job, &why, Some(&mine)), world);
                Ok(())
            }
        }
    }
}

/// This node's member, as the node itself knows it.
struct Own {
    peer_url: String,
    client_url: Option<String>,
    /// Client URLs of those that were members when this one joined.
    joined: Vec<String>,
}

impl Own {
    fn of(job: &Reset, world: &World<'_>) -> Result<Option<Self>, Problem> {
        let Some(bytes) = world.host().read(&job.node.layout.manifest("etcd"))? else {
            let inventory = world.journal().inventory()?;
            return Ok(inventory.etcd_member().map(|url| Self {
                peer_url: url.to_owned(),
                client_url: None,
                joined: Vec::new(),
            }));
        };
        let pod = yaml::parse::<Value>(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
        let first = |flag: &str| Some(flag_of(&pod, flag)?.split(',').next()?.trim().to_owned());
        let initial = flag_of(&pod, "initial-cluster").unwrap_or_default();
        let peers = initial.split(',').filter_map(|member| member.split_once('=')?.1.strip_suffix(":2380"));
        let joined = peers.map(|host| format!("{host}:2379")).collect();
        let peer_url = first("initial-advertise-peer-urls");
        Ok(peer_url.map(|peer_url| Self { peer_url, client_url: first("advertise-client-urls"), joined }))
    }

    /// The members of other nodes as far as the cluster shows them, then those of old, then this node's own.
    fn access(&self, job: &Reset, world: &World<'_>) -> Result<EtcdAccess, Problem> {
        // A kubelet's credentials may not list the Pods of others.
        let mut endpoints = match reachable(job, world)? {
            Ok(identity) => members::shown_endpoints(&identity, world).unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        for endpoint in &self.joined {
            if !endpoints.contains(endpoint) {
                endpoints.push(endpoint.clone());
            }
        }
        endpoints.retain(|endpoint| Some(endpoint) != self.client_url.as_ref());
        endpoints.extend(self.client_url.clone());
        Ok(members::access(&Layout::new(&job.certificates_dir), endpoints))
    }

    fn remove(&self, job: &Reset, mine: &EtcdMember, others: &[EtcdMember], world: &World<'_>) -> Result<(), Problem> {
        let voters = others.iter().filter(|other| !other.is_learner);
        let endpoints = voters.flat_map(|other| other.client_urls.iter().cloned()).chain(self.client_url.clone());
        let access = members::access(&Layout::new(&job.certificates_dir), endpoints.collect());
        let change = Change::Member(MemberChange {
            access: access.clone(),
            node: job.node.name.to_string(),
            peer_url: self.peer_url.clone(),
            action: MemberAction::Remove(mine.id),
        });
        let wait = Wait { what: "etcd to let this node's member go", within: LIMIT, every: PAUSE };
        let removed = members::insist(world, &wait, || {
            if world.etcd().members(&access)?.iter().any(|member| member.id == mine.id) {
                world.change(&change)?;
            }
            Ok(())
        });
        match removed {
            Ok(()) => world.note(&format!("{} left", crate::counted(others.len(), "member"))),
            Err(problem) if problem.id == "etcd-unreachable" => warn(self.left(job, &problem.why, Some(mine)), world),
            Err(problem) if problem.id == "etcd-refused" => return Err(refused(job, mine, &problem)),
            Err(problem) => return Err(problem),
        }
        Ok(())
    }

    /// What is left to be done by hand.
    fn left(&self, job: &Reset, why: &str, mine: Option<&EtcdMember>) -> Problem {
        let problem = Problem::new("etcd-member-left", format!("etcd may still count {}", job.node.name))
            .saw(format!("its member at {}", self.peer_url))
            .why(why);
        match mine {
            Some(mine) => problem.fix(by_hand(&format!("member remove {}", mine.id))),
            None => problem
                .fix(format!(
                    "if the cluster has other control-plane nodes, on one of them: {}",
                    members::etcdctl("member list")
                ))
                .fix("then the same with: member remove, and the ID that stands before this node's address"),
        }
    }
}

fn warn(problem: Problem, world: &World<'_>) {
    world.tell(Event::Warning(&problem));
}

fn by_hand(order: &str) -> String {
    format!("on another control-plane node: {}", members::etcdctl(order))
}

/// What the others are without this member.
enum Standing {
    /// They have a majority.
    Safe,
    /// They have one with it, and none without it.
    Needed(Ailing),
    /// There is none even with it, so that nothing can be removed.
    Lost(Ailing),
}

/// The members with a vote that cannot use it.
struct Ailing {
    sick: Vec<Sick>,
    announced: Vec<MemberId>,
}

impl fmt::Display for Ailing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sick = (!self.sick.is_empty()).then(|| members::names(&self.sick));
        let announced = self.announced.iter().map(|id| format!("{id} (announced, not started)"));
        f.write_str(&sick.into_iter().chain(announced).collect::<Vec<_>>().join(", "))
    }
}

fn standing(
    mine: &EtcdMember,
    others: &[EtcdMember],
    access: &EtcdAccess,
    world: &World<'_>,
) -> Result<Standing, Problem> {
    let voters: Vec<&EtcdMember> = others.iter().filter(|other| !other.is_learner).collect();
    let announced: Vec<MemberId> = voters.iter().filter(|other| !other.has_started()).map(|other| other.id).collect();
    let sick = members::sick(voters.iter().copied(), access, world)?;
    let well = voters.len() - announced.len() - sick.len();
    let mine_is_well = !mine.is_learner && mine.has_started() && members::sick([mine], access, world)?.is_empty();
    let majority_of = |count: usize| count / 2 + 1;
    let ailing = Ailing { sick, announced };
    Ok(if well + usize::from(mine_is_well) < majority_of(voters.len() + usize::from(!mine.is_learner)) {
        Standing::Lost(ailing)
    } else if well < majority_of(voters.len()) {
        Standing::Needed(ailing)
    } else {
        Standing::Safe
    })
}

fn needed(job: &Reset, ailing: &Ailing) -> Problem {
    let name = &job.node.name;
    let problem = Problem::new("etcd-quorum", format!("without {name}, etcd has no majority, and the cluster stops"))
        .saw(format!("not well: {ailing}"))
        .why("more than half of the members must be well, this node's not counted")
        .fix("bring back the members that are not well, then run the same command again");
    let problem = match ailing.sick.first() {
        Some(dead) => {
            let order = members::etcdctl(&format!("member remove {}", dead.member.id));
            problem.fix(format!("if {} is gone for good: {order}", dead.member.name))
        }
        None => problem,
    };
    problem.fix("or stop the cluster knowingly: kubestrap reset --skip-phases remove-etcd-member")
}

fn refused(job: &Reset, mine: &EtcdMember, cause: &Problem) -> Problem {
    Problem::new("etcd-member-left", format!("etcd does not let {} go", job.node.name))
        .at(cause.place.clone().unwrap_or_default())
        .why(cause.why.clone())
        .fix("run the same command again; nothing on this machine is removed so far")
        .fix(by_hand(&format!("member remove {}", mine.id)))
        .fix("or leave the member behind: kubestrap reset --skip-phases remove-etcd-member")
}

#[cfg(test)]
#[path = "etcd_member_tests.rs"]
mod tests;
