//! What is in the file, whatever happens.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    task::Poll,
};

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_reopened_registry_is_the_same() {
    let (stage, registry, id, address) = published().await;
    let component = Some(b"component".to_vec());
    let other = added(
        &registry,
        NewApp {
            guest: component,
            ..testing::app("app-two")
        },
    )
    .await;
    registry.enable(&other).await.expect("it is there");
    registry
        .regenerate(&other)
        .await
        .expect("it has an address");
    registry.disable(&other).await.expect("it is there");
    let before = records(&registry);
    registry.close().await.expect("nothing runs");
    drop(registry);

    let registry = stage.open().await;
    assert_eq!(records(&registry), before);
    assert_eq!(
        lease(&registry, &address).expect("it is enabled").app.id,
        id
    );
    assert_eq!(
        registry.app_key(&other).expect("it is there").expose(),
        "app-two"
    );
    assert!(
        registry
            .component(&Digest::of(b"component"))
            .await
            .expect("a sound file")
            .is_some()
    );
}

#[tokio::test]
async fn secrets_are_in_no_file() {
    let stage = Stage::new();
    let registry = stage.open().await;
    let key = "app-neverInAnyFile";
    let id = added(
        &registry,
        NewApp {
            facts: testing::facts("Bot"),
            ..testing::app(key)
        },
    )
    .await;
    let first = registry.enable(&id).await.expect("it is there");
    let second = registry.regenerate(&id).await.expect("it has an address");
    let in_files = |text: &str| {
        let holds = |bytes: &Vec<u8>| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        };
        stage.files().values().any(holds)
    };
    let search = || {
        assert!(in_files("Sums things up"), "the search finds what is there");
        assert_eq!(
            [key, first.expose(), second.expose()].map(in_files),
            [false; 3]
        );
    };
    search();
    registry.close().await.expect("nothing runs");
    search();
}

#[tokio::test]
async fn a_component_lives_as_long_as_an_app_uses_it() {
    let stage = Stage::new();
    let registry = stage.open().await;
    let guest = |bytes: &[u8]| Some(bytes.to_vec());
    let one = added(
        &registry,
        NewApp {
            guest: guest(b"shared"),
            ..testing::app("app-one")
        },
    )
    .await;
    let two = added(
        &registry,
        NewApp {
            guest: guest(b"shared"),
            ..testing::app("app-two")
        },
    )
    .await;
    let stored = async |bytes: &[u8]| {
        registry
            .component(&Digest::of(bytes))
            .await
            .expect("a sound file")
    };

    registry
        .set_guest(
            &record(&registry, &one),
            guest(b"own"),
            testing::described("v2"),
        )
        .await
        .expect("it is there");
    assert_eq!(stored(b"shared").await.as_deref(), Some(&b"shared"[..]));
    assert_eq!(stored(b"own").await.as_deref(), Some(&b"own"[..]));

    registry.remove(&two).await.expect("it is there");
    assert_eq!(stored(b"shared").await, None);

    registry
        .set_overlay(&one, crate::Overlay::default())
        .await
        .expect("it is there");
    registry
        .set_guest(
            &record(&registry, &one),
            guest(b"own"),
            testing::described("v3"),
        )
        .await
        .expect("it is there");
    assert_eq!(stored(b"own").await.as_deref(), Some(&b"own"[..]));

    registry
        .set_guest(&record(&registry, &one), None, testing::described("v4"))
        .await
        .expect("it is there");
    assert_eq!(stored(b"own").await, None);
}

#[tokio::test]
async fn a_manifest_made_from_what_is_no_longer_there_is_refused() {
    let (_stage, registry, id, _) = published().await;
    let before = record(&registry, &id);
    let component = Some(b"component".to_vec());
    let swapped = registry
        .set_guest(&before, component, testing::described("v2"))
        .await;
    let swapped = swapped.expect("nothing happened between");
    let late = registry
        .set_facts(
            &before,
            testing::facts("New name"),
            testing::described("v1"),
        )
        .await;
    assert!(matches!(late, Err(Error::Changed)), "{late:?}");
    assert_eq!(record(&registry, &id), swapped);
    let disabled = registry.disable(&id).await.expect("it is there");
    let facts = registry
        .set_facts(
            &swapped,
            testing::facts("New name"),
            testing::described("v3"),
        )
        .await;
    assert!(
        !disabled.enabled && facts.is_ok(),
        "being disabled changes nothing of the description"
    );
}

#[tokio::test]
async fn changed_bytes_of_a_component_are_not_handed_out() {
    let (_stage, registry, id, _) = published().await;
    registry
        .set_guest(
            &record(&registry, &id),
            Some(b"component".to_vec()),
            testing::described("v2"),
        )
        .await
        .expect("it is there");
    let mut db = registry.inner.db.lock().await;
    let forged = sqlx::query("UPDATE components SET bytes = x'00'")
        .execute(db.as_mut().expect("it is open"))
        .await;
    drop(db);
    forged.expect("a statement that fits");
    let answer = registry.component(&Digest::of(b"component")).await;
    assert!(
        matches!(answer, Err(Error::DamagedComponent(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn what_is_too_large_changes_nothing() {
    let (_stage, registry, id, _) = published().await;
    let before = registry.snapshot().generation;
    let huge = json!("x".repeat(bounds::MAX_JSON));
    let described = crate::Described {
        manifest: huge,
        by: String::new(),
    };
    let answer = registry
        .set_guest(&record(&registry, &id), None, described)
        .await;
    assert!(
        matches!(
            answer,
            Err(Error::TooLarge {
                what: "the guest's manifest",
                ..
            })
        ),
        "{answer:?}"
    );
    let answer = registry
        .set_guest(
            &record(&registry, &id),
            Some(vec![0; bounds::MAX_COMPONENT + 1]),
            testing::described("v2"),
        )
        .await;
    assert!(
        matches!(
            answer,
            Err(Error::TooLarge {
                what: "the component",
                ..
            })
        ),
        "{answer:?}"
    );
    assert_eq!(registry.snapshot().generation, before);
}

#[tokio::test]
async fn a_failed_write_changes_nothing_in_memory() {
    let (_stage, registry, id, address) = published().await;
    let mut db = registry.inner.db.lock().await;
    let db_only = sqlx::query("PRAGMA query_only = 1")
        .execute(db.as_mut().expect("it is open"))
        .await;
    drop(db);
    db_only.expect("a statement that fits");
    assert!(matches!(
        registry.regenerate(&id).await,
        Err(Error::Storage(_))
    ));
    assert!(matches!(
        registry.disable(&id).await,
        Err(Error::Storage(_))
    ));
    let running = lease(&registry, &address).expect("the old address answers still");
    assert!(!running.revoked.is_cancelled());
    assert_eq!(running.app.credential_epoch, 1);
}

#[tokio::test]
async fn an_operation_is_finished_though_nobody_waits_for_it() {
    let (_stage, registry, id, old) = published().await;
    let running = lease(&registry, &old).expect("it is enabled");
    {
        let mut regenerate = pin!(registry.regenerate(&id));
        let begun = poll_fn(|context| Poll::Ready(regenerate.as_mut().poll(context))).await;
        assert!(begun.is_pending());
    }
    running.revoked.cancelled().await;
    assert!(lease(&registry, &old).is_none());
    let new = registry
        .address(&id)
        .expect("it is there")
        .expect("it has one");
    assert!(lease(&registry, &new).is_some());
}

#[tokio::test]
async fn a_closed_registry_says_so_and_stays_readable() {
    let (_stage, registry, id, address) = published().await;
    registry.close().await.expect("nothing runs");
    registry.close().await.expect("closing twice is no harm");
    assert!(matches!(registry.disable(&id).await, Err(Error::Closed)));
    assert!(lease(&registry, &address).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn operations_at_the_same_time_leave_file_and_memory_the_same() {
    let stage = Stage::new();
    let registry = stage.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let registry = registry.clone();
        tasks.spawn(async move {
            // Eight apps, each added by five tasks.
            let added = registry
                .add(testing::app(&format!("app-{}", number % 8)))
                .await
                .expect("room for it");
            let id = &added.app.id;
            let address = registry.enable(id).await.expect("it is there");
            let taken = lease(&registry, &address);
            let new = registry.regenerate(id).await.expect("it has an address");
            assert!(lease(&registry, &address).is_none());
            assert!(taken.is_none_or(|taken| taken.revoked.is_cancelled()));
            if number % 3 == 0 {
                registry.disable(id).await.expect("it is there");
            }
            (!added.existed, new)
        });
    }
    let done = tasks.join_all().await;
    assert_eq!(done.iter().filter(|(new, _)| *new).count(), 8);
    for app in registry.snapshot().apps() {
        assert_eq!(
            app.credential_epoch, 6,
            "five tasks replaced the address of each"
        );
    }
    let before = records(&registry);
    let answering = |registry: &Registry| {
        done.iter()
            .filter(|(_, address)| lease(registry, address).is_some())
            .count()
    };
    let answered = answering(&registry);
    assert_eq!(answered, before.iter().filter(|app| app.enabled).count());
    registry.close().await.expect("nothing runs");
    drop(registry);
    let registry = stage.open().await;
    assert_eq!(records(&registry), before);
    assert_eq!(answering(&registry), answered);
}
