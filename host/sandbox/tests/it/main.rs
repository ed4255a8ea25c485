//! What the sandbox does with components that no honest toolchain makes.

mod refusals;
