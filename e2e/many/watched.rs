//! A command on a control-plane node whose bytes are counted: between it and the API server stands a relay that passes
//! everything on as it is, TLS included. The command finds it through a copy of admin.conf that lies over the real one.
//!
//! Runs on the node, as `e2e watched`.

use super::world::OWN;
use crate::failure::Failure;
use crate::measure::process::{Cost, measure, tell};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{Error, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// A command, and what it exchanged with the API server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Watched {
    #[serde(flatten)]
    pub cost: Cost,
    pub connections: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// Runs the command behind the relay, and writes what it cost as one line of JSON.
pub fn enter(command: &[&str]) -> Result<(), Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new("there is no command to watch", ""));
    };
    let counters = Arc::new(Counters::default());
    relay(&counters).map_err(|error| Failure::new("cannot put a relay before the API server", error))?;
    let cost = measure(Command::new(program).args(arguments))?;
    let counted = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    tell(&Watched {
        cost,
        connections: counted(&counters.connections),
        bytes_sent: counted(&counters.sent),
        bytes_received: counted(&counters.received),
    })
}

/// Listens beside the API server, at its address, which its certificate names.
fn relay(counters: &Arc<Counters>) -> Result<(), Error> {
    let kubeconfig = fs::read_to_string(ADMIN)?;
    let server = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("server: https://"));
    let server = server.ok_or_else(|| Error::other(format!("{ADMIN} names no server")))?.to_owned();
    let listener = TcpListener::bind((server.rsplit_once(':').map_or("", |(host, _)| host), 0))?;
    let nothing = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    fs::create_dir_all(OWN)?;
    mount(Some("kubestrap-e2e"), OWN, Some("tmpfs"), MsFlags::empty(), Some("mode=0700"))?;
    let copy = format!("{OWN}/admin.conf");
    fs::write(&copy, kubeconfig.replace(&server, &listener.local_addr()?.to_string()))?;
    mount(Some(copy.as_str()), ADMIN, nothing, MsFlags::MS_BIND, nothing)?;
    let counters = Arc::clone(counters);
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(&server) else { continue };
            counters.connections.fetch_add(1, Ordering::Relaxed);
            let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else { continue };
            let (up, down) = (Arc::clone(&counters), Arc::clone(&counters));
            thread::spawn(move || pass(near, far, &up.sent));
            thread::spawn(move || pass(far_too, near_too, &down.received));
        }
    });
    Ok(())
}

/// Passes on what comes until it ends.
fn pass(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        counter.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
