//! `airlock guest new`: a project that builds by itself, with the SDK and the contract inside.

use std::path::Path;

use anyhow::{Context, bail};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "templates/guest"]
struct Template;

#[derive(RustEmbed)]
#[folder = "../guest/sdk/src"]
struct Sdk;

#[derive(RustEmbed)]
#[folder = "../guest/form/src"]
struct Form;

#[derive(RustEmbed)]
#[folder = "../wit"]
#[include = "*.wit"]
struct Contract;

/// The SDK's own manifest inside a project: the workspace's words are spelled out, for there is no workspace.
const SDK_MANIFEST: &str = r#"[package]
name = "airlock-guest"
version = "0.1.0"
edition = "2024"
license = "Apache-2.0"
publish = false

[dependencies]
airlock-form = { path = "../form" }
serde_json = { version = "1", features = ["preserve_order", "raw_value"] }

[target.'cfg(target_family = "wasm")'.dependencies]
talc = { version = "5.1", default-features = false }
wit-bindgen = { version = "0.61", default-features = false, features = ["macros", "realloc"] }
"#;

const FORM_MANIFEST: &str = r#"[package]
name = "airlock-form"
version = "0.1.0"
edition = "2024"
license = "Apache-2.0"
publish = false

[dependencies]
serde_json = { version = "1", features = ["preserve_order", "raw_value"] }
"#;

/// Writes a new project into `directory`, which must not be there or be empty.
///
/// # Errors
/// When the directory holds something, its name makes no package name, or a file cannot be written.
pub fn write(directory: &Path) -> anyhow::Result<String> {
    let name = package_name(directory)?;
    if directory
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
    {
        bail!("{} is not empty; name a new directory", directory.display());
    }
    for file in Template::iter() {
        let text =
            String::from_utf8(contents::<Template>(&file)).context("the template is text")?;
        put(
            &directory.join(file.as_ref()),
            text.replace("NAME", &name).as_bytes(),
        )?;
    }
    let sdk = directory.join("airlock/sdk");
    put(&sdk.join("Cargo.toml"), SDK_MANIFEST.as_bytes())?;
    copy::<Sdk>(&sdk.join("src"))?;
    copy::<Contract>(&sdk.join("wit"))?;
    let form = directory.join("airlock/form");
    put(&form.join("Cargo.toml"), FORM_MANIFEST.as_bytes())?;
    copy::<Form>(&form.join("src"))?;
    put(&directory.join(".gitignore"), b"/target\n*.wasm\n")?;
    Ok(name)
}

/// Cargo takes letters, digits, `-` and `_`, and no digit in front.
fn package_name(directory: &Path) -> anyhow::Result<String> {
    let name = directory
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let good = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !good {
        bail!(
            "the directory's name becomes the package's: letters, digits, '-' and '_', with a letter first"
        );
    }
    Ok(name.to_owned())
}

fn contents<E: RustEmbed>(file: &str) -> Vec<u8> {
    E::get(file)
        .expect("the list of files is made of the files")
        .data
        .into_owned()
}

fn copy<E: RustEmbed>(directory: &Path) -> anyhow::Result<()> {
    for file in E::iter() {
        put(&directory.join(file.as_ref()), &contents::<E>(&file))?;
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let parent = path.parent().expect("a file stands in a directory");
    std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_everything_it_builds_from() {
        let parent = tempfile::tempdir().expect("a directory");
        let directory = parent.path().join("my-guest");
        assert_eq!(write(&directory).expect("a new directory"), "my-guest");
        for file in [
            "Cargo.toml",
            "src/lib.rs",
            "airlock/sdk/src/lib.rs",
            "airlock/sdk/wit/world.wit",
            "airlock/form/src/lib.rs",
        ] {
            assert!(directory.join(file).is_file(), "{file}");
        }
        let manifest = std::fs::read_to_string(directory.join("Cargo.toml")).expect("it is there");
        assert!(manifest.contains("name = \"my-guest\""));
        assert!(write(&directory).is_err(), "nothing is written over");
    }

    #[test]
    fn the_sdk_is_given_the_versions_that_the_workspace_builds_with() {
        let workspace = include_str!("../../Cargo.toml");
        for manifest in [SDK_MANIFEST, FORM_MANIFEST] {
            for line in manifest
                .lines()
                .filter(|line| line.contains("version = \"") && line.contains('{'))
            {
                assert!(
                    workspace.contains(line),
                    "the workspace has another line for: {line}"
                );
            }
        }
    }

    #[test]
    fn a_name_that_cargo_refuses_is_refused_first() {
        for name in ["1st", "my guest", "gäst"] {
            assert!(package_name(Path::new(name)).is_err(), "{name}");
        }
    }
}
