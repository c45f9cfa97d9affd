//! Phase `etcd-join`: makes this node a member of a stacked etcd. Adds the member, writes `manifests/etcd.yaml` with all
//! members in it, waits until the kubelet has started it, gives it its vote, and waits until all members are well.
//!
//! ```text
//! no member ── add ──► announced ── manifest, kubelet ──► started ── promote ──► has its vote
//! ```
//!
//! etcd itself knows how far this is, so the phase can be broken off anywhere and run again: it looks, and does the rest.

use std::time::Duration;

use serde_json::Value;

use super::local::{self, LocalMember, Member};
use super::members::{self, PAUSE};
use crate::config::{Etcd, LocalEtcd, OnControlPlane};
use crate::diagnosis::{self, Pace, Past};
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::world::{Change, EtcdAccess, EtcdMember, MemberAction, MemberChange, Probe, Wait, World};
use crate::yaml;

/// How long a call of etcd is tried again, as in kubeadm's `etcdAPICall`.
const CALL_LIMIT: Duration = Duration::from_secs(120);
/// How long to queue for the place of the one learner: other nodes that join at the same time go first.
const QUEUE_LIMIT: Duration = Duration::from_secs(300);

/// Phase `etcd-join`.
pub struct EtcdJoin;

impl<J: OnControlPlane> Phase<J> for EtcdJoin {
    fn name(&self) -> &'static str {
        "etcd-join"
    }

    fn about(&self) -> &'static str {
        "makes this node a member of etcd"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        let mut needs = members::needs(&job.node().layout);
        needs.extend(Phase::<J>::needs(&LocalMember, job));
        needs
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        Phase::<J>::makes(&LocalMember, job)
    }

    fn verdict(&self, job: &J) -> Verdict {
        Phase::<J>::verdict(&LocalMember, job)
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let Etcd::Local(etcd) = &job.cluster().etcd else { return Ok(()) };
        world.needs_running_system("wait for etcd")?;
        let joining = Joining { job, etcd, peer_url: local::peer_url(job), access: members::found(job, world)? };
        let members = joining.announce(world)?;
        joining.write_manifest(&members, world)?;
        joining.wait_until_started(world)?;
        joining.promote(world)?;
        match members::wait_until_well(&joining.access, None, world)? {
            // A dry run does not wait, and so has not looked.
            0 => {}
            count => world.note(&format!("{}, all well", crate::counted(count, "member"))),
        }
        Ok(())
    }
}

/// One node on its way into etcd.
struct Joining<'a> {
    job: &'a dyn OnControlPlane,
    etcd: &'a LocalEtcd,
    peer_url: String,
    access: EtcdAccess,
}

impl Joining<'_> {
    fn name(&self) -> &str {
        self.job.node().name.as_str()
    }

    fn own<'m>(&self, members: &'m [EtcdMember]) -> Option<&'m EtcdMember> {
        members.iter().find(|member| member.is_at(&self.peer_url))
    }

    fn list(&self, world: &World<'_>) -> Result<Vec<EtcdMember>, Problem> {
        let wait = Wait { what: "etcd to answer", within: CALL_LIMIT, every: PAUSE };
        members::insist(world, &wait, || Ok(world.etcd().members(&self.access)?))
    }

    /// Makes a change of this node's member, unless a look shows that it is made: an answer may have been lost.
    fn bring_about(
        &self,
        wait: &Wait<'_>,
        action: MemberAction,
        is_made: impl Fn(&[EtcdMember]) -> bool,
        world: &World<'_>,
    ) -> Result<Vec<EtcdMember>, Problem> {
        let change = MemberChange {
            access: self.access.clone(),
            node: self.name().to_owned(),
            peer_url: self.peer_url.clone(),
            action,
        };
        let change = Change::Member(change);
        members::insist(world, wait, || {
            let members = world.etcd().members(&self.access)?;
            if is_made(&members) {
                return Ok(members);
            }
            world.change(&change)?;
            Ok(world.etcd().members(&self.access)?)
        })
    }

    /// Adds the member unless etcd knows it; gives the members afterwards.
    fn announce(&self, world: &World<'_>) -> Result<Vec<EtcdMember>, Problem> {
        let members = self.list(world)?;
        if self.own(&members).is_some() {
            return Ok(members);
        }
        self.refuse_namesake(&members)?;
        self.refuse_old_data(world)?;
        let as_learner = self.job.cluster().adds_etcd_learners();
        let wait = Wait { what: "etcd to take a further member", within: QUEUE_LIMIT, every: PAUSE };
        let added =
            self.bring_about(&wait, MemberAction::Add { as_learner }, |members| self.own(members).is_some(), world);
        added.map_err(|mut problem| {
            if problem.why.contains("learner") || problem.why.contains("not enough started") {
                let order = "look for a member that was announced and has not started";
                problem.fixes.insert(0, format!("{order}: {}", members::etcdctl("member list")));
            }
            problem
        })
    }

    /// A node that comes back under its name with another address: its old member counts, and never answers.
    fn refuse_namesake(&self, members: &[EtcdMember]) -> Result<(), Problem> {
        let Some(stale) = members.iter().find(|member| member.name == self.name()) else { return Ok(()) };
        Err(Problem::new("etcd-member-stale", format!("etcd has a member {} already", self.name()))
            .saw(format!("member {} at {}", stale.id, stale.peer_urls.join(", ")))
            .why(format!(
                "it is at another address than this node's {}: left by an earlier life of this node, or another \
                 node's that has the same name",
                self.peer_url
            ))
            .fix(format!(
                "if that one is gone for good, on another control-plane node: {}",
                members::etcdctl(&format!("member remove {}", stale.id))
            ))
            .fix("else give this node another name: --node-name"))
    }

    /// etcd that is new to a cluster must start empty, or it ends at once.
    fn refuse_old_data(&self, world: &World<'_>) -> Result<(), Problem> {
        let data = self.etcd.data_dir.join("member");
        if world.host().stat(&data)?.is_none() {
            return Ok(());
        }
        Err(Problem::new(
            "etcd-data-left",
            "etcd's data folder holds the data of a member that the cluster does not know",
        )
        .at(data.display().to_string())
        .why("it was left by an earlier life of this node, or its member was removed since")
        .fix("take this node out of its old cluster first: kubestrap reset")
        .fix(format!("or, when it is not needed, rm -r {}", data.display())))
    }

    /// A member that has started keeps the members its manifest was written with: etcd does not read them again, and
    /// another text would only restart it.
    fn write_manifest(&self, members: &[EtcdMember], world: &World<'_>) -> Result<(), Problem> {
        let has_started = self.own(members).is_some_and(EtcdMember::has_started);
        let written = if has_started { self.written_members(world)? } else { None };
        let members = written.unwrap_or_else(|| {
            let named = members.iter().flat_map(|member| {
                let name = if member.is_at(&self.peer_url) { self.name().to_owned() } else { member.name_or_id() };
                member.peer_urls.iter().map(move |url| Member { name: name.clone(), peer_url: url.clone() })
            });
            named.collect()
        });
        local::put(self.job, &members, world)
    }

    /// The members in the manifest that is there; empty for one of a first member, which names only itself.
    fn written_members(&self, world: &World<'_>) -> Result<Option<Vec<Member>>, Problem> {
        let Some(bytes) = world.host().read(&self.job.node().layout.manifest("etcd"))? else { return Ok(None) };
        let pod = yaml::parse::<Value>(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
        let flag = |name: &str| local::flag_of(&pod, name);
        if flag("initial-cluster-state").as_deref() != Some("existing") {
            return Ok(Some(Vec::new()));
        }
        let members = flag("initial-cluster").unwrap_or_default();
        let members = members.split(',').filter_map(|member| member.split_once('='));
        Ok(Some(members.map(|(name, url)| Member { name: name.to_owned(), peer_url: url.to_owned() }).collect()))
    }

    fn wait_until_started(&self, world: &World<'_>) -> Result<(), Problem> {
        let limit = self.job.cluster().control_plane_timeout;
        let wait = Wait { what: "the kubelet to start etcd", within: limit, every: PAUSE };
        let mut past = Past::of(self.job.node(), &["etcd"], world)?;
        let mut pace = Pace::new(world);
        let mut seen = String::new();
        let outcome = world.time().wait(&wait, &mut || {
            match world.etcd().members(&self.access).map_err(Problem::from) {
                Ok(members) if self.own(&members).is_some_and(EtcdMember::has_started) => return Ok(Probe::Yes),
                Ok(_) => {}
                Err(problem) if members::may_pass(&problem) => {}
                Err(problem) => return Err(problem),
            }
            if pace.is_due(world) {
                let mut sight = diagnosis::control_plane_since(&past, self.job.node(), &["etcd"], "", world)?;
                if let Some(problem) = sight.certain.take()
                    && !past.starts_again(&sight, world)?
                {
                    return Err(problem);
                }
                seen = format!("{} · ", sight.seen);
            }
            Ok(Probe::NotYet(format!("{seen}announced, not started")))
        });
        outcome.map_err(|error| {
            members::in_time(error, "etcd-not-started", "this node's etcd has not met the other members", |problem| {
                problem
                    .at(self.job.node().layout.manifest("etcd").display().to_string())
                    .why(format!(
                        "it is announced as {} and has not been in touch with the others since",
                        self.peer_url
                    ))
                    .fix("see what kubelet and etcd say: journalctl -u kubelet -n 50; tail /var/log/pods/kube-system_etcd-*/etcd/*.log")
                    .fix("then run the same command again: it goes on from here")
                    .fix("or take the member out again: kubestrap reset")
            })
        })
    }

    /// Gives a learner its vote, as soon as it has caught up.
    fn promote(&self, world: &World<'_>) -> Result<(), Problem> {
        let members = self.list(world)?;
        let Some(own) = self.own(&members).filter(|own| own.is_learner) else { return Ok(()) };
        let wait = Wait { what: "the learner to catch up", within: CALL_LIMIT, every: PAUSE };
        let has_vote = |members: &[EtcdMember]| self.own(members).is_some_and(|own| !own.is_learner);
        self.bring_about(&wait, MemberAction::Promote(own.id), has_vote, world).map(|_| ())
    }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
