//! Calls that outlive their request.

use super::*;
use crate::{TaskRow, bounds};

const LATER: i64 = i64::MAX;

fn row(state: &[u8]) -> TaskRow {
    TaskRow {
        state: state.to_vec(),
        running: true,
        expires_at: LATER,
    }
}

#[tokio::test]
async fn a_task_outlives_its_server_and_is_readable_in_no_file() {
    let (stage, registry, id, _) = published().await;
    let secret = b"what a caller asked, in nobody's clear";
    assert!(
        registry
            .create_task(&id, &[1; 16], &row(secret))
            .await
            .expect("stored")
    );
    registry.close().await.expect("nothing runs");
    drop(registry);
    for (path, bytes) in stage.files() {
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{}", path.display());
    }
    let registry = stage.open().await;
    let kept = registry.task(&id, &[1; 16]).await.expect("a sound file");
    assert_eq!(kept, Some((1, row(secret))));
}

#[tokio::test]
async fn of_two_writers_the_later_one_is_refused() {
    let (_stage, registry, id, _) = published().await;
    let key = [1; 16];
    assert!(
        registry
            .create_task(&id, &key, &row(b"a"))
            .await
            .expect("stored")
    );
    assert!(
        !registry
            .create_task(&id, &key, &row(b"b"))
            .await
            .expect("the key is taken")
    );
    assert!(
        registry
            .replace_task(&id, &key, 1, &row(b"c"))
            .await
            .expect("stored")
    );
    assert!(
        !registry
            .replace_task(&id, &key, 1, &row(b"d"))
            .await
            .expect("it is at 2")
    );
    let kept = registry.task(&id, &key).await.expect("a sound file");
    assert_eq!(kept, Some((2, row(b"c"))));
}

#[tokio::test]
async fn what_ran_when_the_server_stopped_is_known_at_its_start() {
    let (_stage, registry, id, _) = published().await;
    let over = TaskRow {
        running: false,
        ..row(b"over")
    };
    assert!(
        registry
            .create_task(&id, &[1; 16], &row(b"runs"))
            .await
            .expect("stored")
    );
    assert!(
        registry
            .create_task(&id, &[2; 16], &over)
            .await
            .expect("stored")
    );
    let running = registry.running_tasks().await.expect("a sound file");
    assert_eq!(running, [(id, [1; 16])]);
}

#[tokio::test]
async fn a_task_ends_with_its_time_and_with_its_app() {
    let (_stage, registry, id, _) = published().await;
    let past = TaskRow {
        expires_at: 1,
        ..row(b"a")
    };
    assert!(
        registry
            .create_task(&id, &[1; 16], &past)
            .await
            .expect("stored")
    );
    assert_eq!(
        registry.task(&id, &[1; 16]).await.expect("a sound file"),
        None
    );
    assert!(
        registry
            .create_task(&id, &[1; 16], &row(b"b"))
            .await
            .expect("the old one is gone")
    );
    registry.remove(&id).await.expect("it is there");
    assert_eq!(
        registry.task(&id, &[1; 16]).await.expect("a sound file"),
        None
    );
}

#[tokio::test]
async fn an_app_s_tasks_are_bounded_and_another_app_s_are_not_its_own() {
    let (_stage, registry, id, _) = published().await;
    let other = added(&registry, testing::app("app-two")).await;
    let large = row(&vec![0; bounds::MAX_TASK]);
    let mut kept = 0;
    while registry
        .create_task(&id, &[kept; 16], &large)
        .await
        .expect("stored or refused")
    {
        kept += 1;
    }
    assert!((1..=16).contains(&kept), "{kept}");
    assert!(
        registry
            .create_task(&other, &[1; 16], &row(b"a"))
            .await
            .expect("stored")
    );
    assert_eq!(
        registry.task(&other, &[0; 16]).await.expect("a sound file"),
        None
    );
    let over = row(&vec![0; bounds::MAX_TASK + 1]);
    let refused = registry.create_task(&other, &[2; 16], &over).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn whoever_watches_hears_of_every_change() {
    let (_stage, registry, id, _) = published().await;
    let mut watch = registry.watch();
    let before = *watch.borrow_and_update();
    registry.disable(&id).await.expect("it is there");
    watch.changed().await.expect("the registry is open");
    assert_eq!(*watch.borrow_and_update(), before + 1);
    assert_eq!(registry.snapshot().generation, before + 1);
}
