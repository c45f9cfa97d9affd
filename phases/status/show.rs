//! Status as one screen for people, and as one object for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Member, Role, Status};
use crate::counted;
use crate::plan::UnfinishedRun;
use crate::plan::damage::{Harm, listed};
use crate::world::Clock;

/// Width of the first column.
const NAMES: usize = 13;

impl Status {
    /// One screen; the troubles are told apart from it.
    pub fn text(&self) -> String {
        let mut lines = vec![row(&self.name, &self.what_it_is())];
        let mut add = |name: &str, text: String| lines.push(row(name, &text));
        match &self.unfinished {
            None => add("runs", "none unfinished".to_owned()),
            Some(run) => {
                add("runs", self.stopped(run));
                for order in self.next() {
                    add("", format!("type: {order}"));
                }
            }
        }
        if let Some(api) = &self.api {
            add(
                "API",
                match &api.release {
                    Ok(release) => format!("{} answers, {release}", api.server),
                    Err(reason) => format!("{} does not answer: {reason}", api.server),
                },
            );
        }
        if let Some(etcd) = &self.etcd {
            add("etcd", members(etcd));
        }
        if let Some(kubelet) = self.kubelet_text() {
            add("kubelet", kubelet);
        }
        if let Some((path, end)) = &self.first_to_expire {
            let when = if end.0 <= self.now.0 {
                format!("ended {} ago", span(self.now.0 - end.0))
            } else {
                format!("ends in {}", span(end.0 - self.now.0))
            };
            add("certificates", format!("first to expire: {}, {when}", path.display()));
        }
        match &self.inventory {
            Err(reason) => add("inventory", format!("not known: {reason}")),
            Ok(ours) => {
                let mut text = format!("{}, {}", counted(ours.files, "file"), counted(ours.folders, "folder"));
                for (_, how, paths) in Harm::sorted(&ours.damages).filter(|(_, _, paths)| !paths.is_empty()) {
                    text += &format!("; {} {how}: {}", paths.len(), listed(&paths));
                }
                add("inventory", text);
            }
        }
        lines.join("\n")
    }

    /// One object.
    pub fn value(&self) -> Value {
        let unfinished = self.unfinished.as_ref().map(|run| {
            json!({
                "command": run.command, "started": Clock(run.started).rfc3339(), "phase": run.phase,
                "changesDone": run.done, "atWork": self.at_work.is_some(), "process": self.at_work, "next": self.next(),
                "problem": run.failure.as_ref().map(|(id, what)| json!({"id": id, "what": what})),
            })
        });
        let reason = |reason: &String| json!({"error": reason});
        json!({
            "name": self.name,
            "role": match self.role {
                Role::ControlPlane => "control-plane",
                Role::Worker => "worker",
                Role::None => "none",
            },
            "since": self.since.map(Clock::rfc3339),
            "unfinishedRun": unfinished,
            "api": self.api.as_ref().map(|api| json!({
                "server": api.server, "answers": api.release.is_ok(),
                "release": api.release.as_ref().ok(), "error": api.release.as_ref().err(),
            })),
            "etcd": self.etcd.as_ref().map(|etcd| match etcd {
                Ok(members) => json!({"members": members.iter().map(member_value).collect::<Vec<_>>()}),
                Err(error) => reason(error),
            }),
            "kubelet": json!({
                "state": self.kubelet.state,
                "nodeReady": self.kubelet.node.as_ref().and_then(|node| node.as_ref().ok()),
                "error": self.kubelet.node.as_ref().and_then(|node| node.as_ref().err()),
            }),
            "firstToExpire": self.first_to_expire.as_ref().map(|(path, end)| json!({"file": path, "at": end.rfc3339()})),
            "inventory": match &self.inventory {
                Ok(ours) => {
                    let mut told = json!({"files": ours.files, "folders": ours.folders});
                    for (name, _, paths) in Harm::sorted(&ours.damages) {
                        told[name] = json!(paths);
                    }
                    told
                }
                Err(error) => reason(error),
            },
            "troubles": self.troubles.iter().map(|problem| json!({
                "id": problem.id, "what": problem.what, "saw": problem.saw, "where": problem.place,
                "why": problem.why, "fixes": problem.fixes,
            })).collect::<Vec<_>>(),
        })
    }

    fn what_it_is(&self) -> String {
        let what = match self.role {
            _ if self.unfinished.is_some() => return "not a whole node: see the next line".to_owned(),
            Role::ControlPlane => "control-plane node",
            Role::Worker => "worker node",
            Role::None => return "no node: kubestrap init or kubestrap join makes it one".to_owned(),
        };
        match (self.since, &self.inventory) {
            (Some(since), _) => format!("{what}, made by kubestrap {} ago", span(self.now.0 - since.0)),
            (None, Ok(_)) if self.role != Role::None => format!("{what}, not made by kubestrap"),
            _ => what.to_owned(),
        }
    }

    fn stopped(&self, run: &UnfinishedRun) -> String {
        let phase = if run.phase.is_empty() { "its first phase" } else { &run.phase };
        let began = format!("{} of {} ago", run.command, span(self.now.0 - run.started));
        let done = counted(run.done, "change");
        match (&self.at_work, &run.failure) {
            (Some(process), _) => format!("{began} is at work in {phase} after {done}: process {process}"),
            (None, Some((id, what))) => format!("{began} stopped in {phase} after {done}: {what} ({id})"),
            (None, None) => format!("{began} stopped in {phase} after {done}: killed"),
        }
    }

    fn kubelet_text(&self) -> Option<String> {
        let unit = match self.kubelet.state.as_str() {
            "" => return None,
            "active" => "running",
            other => other,
        };
        Some(match &self.kubelet.node {
            None => unit.to_owned(),
            Some(Ok(true)) => format!("{unit}, Node Ready"),
            Some(Ok(false)) => format!("{unit}, Node not Ready"),
            Some(Err(reason)) => format!("{unit}, Node not known: {reason}"),
        })
    }
}

fn row(name: &str, text: &str) -> String {
    format!("{name:<NAMES$}{}{text}", if name.len() >= NAMES { " " } else { "" })
}

fn members(etcd: &Result<Vec<Member>, String>) -> String {
    let members = match etcd {
        Ok(members) => members,
        Err(reason) => return format!("does not answer: {reason}"),
    };
    let sick: Vec<String> =
        members.iter().filter_map(|member| Some(format!("{}: {}", member.name, member.ailment.as_ref()?))).collect();
    let well = if sick.is_empty() { "healthy".to_owned() } else { sick.join("; ") };
    let room = match members.len() {
        0..=2 => "; the loss of one stops the cluster: that takes 3",
        _ => "",
    };
    format!("{}, {well}{room}", counted(members.len(), "member"))
}

fn member_value(member: &Member) -> Value {
    json!({"name": member.name, "healthy": member.ailment.is_none(), "error": member.ailment})
}

/// The largest unit that gives a number of at least one; of years, at least two.
fn span(seconds: i64) -> String {
    let while_ = Duration::from_secs(seconds.max(0).unsigned_abs()).as_secs();
    [(365 * 86_400, "year"), (86_400, "day"), (3600, "hour"), (60, "minute")]
        .into_iter()
        .find(|(unit, name)| while_ >= if *name == "year" { 2 * unit } else { *unit })
        .map_or_else(
            || format!("{while_} s"),
            |(unit, name)| {
                let count = usize::try_from(while_ / unit).unwrap_or(usize::MAX);
                counted(count, name)
            },
        )
}
