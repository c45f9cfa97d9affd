//! The built program as a whole, run without root and without a node: what it writes, says, and ends with.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod dry_run;
#[cfg(test)]
mod output;
#[cfg(test)]
mod rootfs;
#[cfg(test)]
mod trust;
