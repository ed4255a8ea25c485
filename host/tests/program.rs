//! The program itself. What it does at length is tested in `tests/`; that cargo builds the program for those tests is
//! owed to this file: cargo builds a package's programs for the package's own integration tests alone.

use std::process::Command;

#[test]
fn the_program_names_itself_and_its_commands() {
    let ask = |argument: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_airlock"))
            .arg(argument)
            .output()
            .expect("cargo built it");
        assert!(output.status.success(), "{argument}: {}", output.status);
        String::from_utf8(output.stdout).expect("words")
    };
    assert_eq!(
        ask("--version").trim(),
        concat!("airlock ", env!("CARGO_PKG_VERSION"))
    );
    let help = ask("--help");
    for command in ["serve", "demo", "app", "guest", "healthcheck", "stdio"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
}
