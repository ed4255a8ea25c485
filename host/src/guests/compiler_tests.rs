//! What a child may do to its parent, played by scripts; what the real one does is tested in `tests/`.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::*;

/// A program that is not `airlock`, and the directory that holds it.
fn script(lines: &str) -> (tempfile::TempDir, CompilerConfig) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("script");
    let text = format!("#!/bin/sh\ncd {}\n{lines}\n", directory.path().display());
    std::fs::write(&program, text).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("our file");
    let config = CompilerConfig {
        program: Some(program),
        size: 1 << 20,
        time: Duration::from_secs(60),
        memory: 1 << 30,
    };
    (directory, config)
}

async fn compile(config: CompilerConfig, bytes: Vec<u8>) -> GuestError {
    let compiler = Compiler::new(config);
    let turn = compiler.turn().await.expect("nobody else is here");
    match compiler.compile(bytes, &turn).await {
        Ok(_) => panic!("it compiled"),
        Err(error) => error,
    }
}

fn poll_now<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> std::task::Poll<T> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

fn over(error: GuestError) -> OverBound {
    match error {
        GuestError::OverBound(over) => over,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_child_has_nothing_of_this_process_but_the_component() {
    let (directory, config) =
        script("env >environment; cat >component; echo 'as asked' >&2; exit 7");
    let error = over(compile(config, b"the component".to_vec()).await);
    assert!(
        matches!(&error, OverBound::Crash(words) if words.contains("exit status: 7: as asked")),
        "{error}"
    );
    let read = |name| std::fs::read_to_string(directory.path().join(name)).expect("it was written");
    assert_eq!(read("component"), "the component");
    // The shell's own.
    let own = ["PWD=", "OLDPWD=", "SHLVL=", "_="];
    let environment = read("environment");
    let mut given = environment
        .lines()
        .filter(|line| !own.iter().any(|name| line.starts_with(name)));
    assert!(
        given
            .next()
            .is_some_and(|line| line.starts_with("RAYON_NUM_THREADS="))
    );
    assert_eq!(given.next(), None);
}

#[tokio::test]
async fn a_slow_child_is_killed() {
    let (directory, config) = script("echo $$ >pid; exec sleep 600");
    let time = Duration::from_millis(500);
    let began = Instant::now();
    let error = over(compile(CompilerConfig { time, ..config }, Vec::new()).await);
    assert_eq!(error, OverBound::Time(time));
    assert!(
        error.to_string().contains("0.5 s (AIRLOCK_COMPILE_TIME)"),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(30));
    let pid = std::fs::read_to_string(directory.path().join("pid")).expect("it ran");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "it is gone");
}

#[tokio::test]
async fn a_child_that_writes_without_end_is_cut_off() {
    let (_directory, config) = script("cat /dev/zero");
    let error = over(compile(config, Vec::new()).await);
    assert_eq!(error, OverBound::Code(SMALLEST));
}

#[tokio::test]
async fn a_child_that_gets_no_memory_says_so() {
    let (_directory, config) =
        script("echo 'memory allocation of 64 bytes failed' >&2; kill -ABRT $$");
    let error = over(compile(config, Vec::new()).await);
    assert_eq!(error, OverBound::Memory(1 << 30));
    assert!(
        error
            .to_string()
            .contains("1024 MiB of memory (AIRLOCK_COMPILE_MEMORY)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_large_component_is_not_even_handed_over() {
    let (directory, config) = script("touch ran");
    let error = over(compile(config, vec![0; (1 << 20) + 1]).await);
    assert!(
        matches!(
            error,
            OverBound::Size {
                bytes: 1_048_577,
                limit: 1_048_576
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("AIRLOCK_COMPILE_SIZE"),
        "{error}"
    );
    assert!(!directory.path().join("ran").exists());
}

#[tokio::test]
async fn a_refusal_is_passed_on_in_its_own_words() {
    let (_directory, config) = script("printf 'this is no guest'; exit 3");
    let error = compile(config, Vec::new()).await;
    assert_eq!(error.to_string(), "the guest is refused: this is no guest");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_fault_of_this_side() {
    let (directory, config) = script("");
    let program = Some(directory.path().join("nothing"));
    let error = compile(CompilerConfig { program, ..config }, Vec::new()).await;
    assert!(matches!(error, GuestError::Internal(_)), "{error}");
}

#[tokio::test]
async fn components_have_turns_and_the_line_has_an_end() {
    let (_directory, config) = script("");
    let compiler = Compiler::new(config);
    let first = compiler.turn().await.expect("nobody else is here");
    let mut others: Vec<_> = (0..WAITING).map(|_| Box::pin(compiler.turn())).collect();
    for other in &mut others {
        assert!(poll_now(other.as_mut()).is_pending(), "one at a time");
    }
    let busy = compiler.turn().await.err().expect("the line is full");
    assert!(busy.is_busy(), "{busy}");
    drop(first);
    let second = others.remove(0).await.expect("its turn");
    assert!(
        poll_now(others[0].as_mut()).is_pending(),
        "still one at a time"
    );
    // The first one's place in the line is free.
    let mut late = Box::pin(compiler.turn());
    assert!(poll_now(late.as_mut()).is_pending());
    drop(second);
}
