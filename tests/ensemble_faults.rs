//! Real faults on real processes: servers are killed, paused, cut off, slowed down, and their disks
//! fill up and fail, while clients write. Afterwards the clients' history must be linearizable, and
//! all servers must have everything that was acknowledged.
//!
//! `make faults SECONDS=600` runs for ten minutes; `ZABRA_FAULTS_SEED=n cargo test --test
//! ensemble_faults` takes a seed that was printed.

#![cfg(feature = "server")]

mod ensemble_support;
mod faults;
mod server_support;

#[test]
fn three_servers() {
    faults::three_servers();
}

#[test]
fn five_servers() {
    faults::five_servers();
}

#[test]
fn for_long() {
    faults::for_long();
}
