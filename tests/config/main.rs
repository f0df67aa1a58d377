//! Configurations as operators write them, seen from outside.
#![cfg(feature = "config")]

mod arbitrary;
mod ensemble;
mod file;
mod samples;
mod world;
