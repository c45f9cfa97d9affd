//! kubestrap and kubeadm side by side: the same commands on the same kind of fresh nodes, in turns, with what the components
//! themselves need as floor. `e2e/bench` runs a whole series; the scenario `speed` runs a pair.
//!
//! `process` measures a command, `watch` sees when things come, `pair` and its neighbours are what is measured, `results` and
//! `report` are what is made of it.

mod api;
mod control_plane;
mod floor;
mod machine;
mod milestones;
pub mod pair;
pub mod process;
pub mod report;
mod requests;
pub mod results;
mod series;
pub mod small;
mod subject;
mod svg;
mod timeline;
mod watch;

pub use process::Meter;
pub use series::bench;
pub use subject::Bench;
