//! The admin API: operations over HTTP, on `admin.sock` in the home, which only the home's owner can open.
//!
//! * [`routes`]: which request is which operation, both ways.
//! * [`listen`]: the server's side.
//! * [`client`]: the CLI's side.

pub mod client;
pub mod listen;
pub mod routes;
