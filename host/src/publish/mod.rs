//! From form to tool: what a guest describes, what the operator lays over it, what clients see.
//!
//! `facts` (Dify's) → [`crate::ops`] runs the guest's `describe` → [`Manifest`] (checked, stored) → [`Published`]
//! (the operator's overlay applied, schemas compiled).

pub mod catalogue;
pub mod difference;
pub mod files;
pub mod learn;
pub mod lint;
pub mod manifest;
pub mod promise;
pub mod published;
mod references;
pub mod schema;

pub use catalogue::{Catalogue, CatalogueFault};
pub use files::{FileInput, Many};
pub use manifest::{Manifest, ManifestFault, Tool};
pub use promise::Promise;
pub use published::{Published, PublishedTool};
