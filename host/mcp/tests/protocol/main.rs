//! The protocol as a client meets it: requests go into `serve`, and what comes back is read to the last byte.

mod batches;
mod calls;
mod dify;
mod door;
mod ends;
mod features;
mod fixture;
mod guard;
mod lifecycle;
mod listening;
mod messages;
mod modern;
mod replicas;
mod rounds;
mod strange;
mod tasks;
