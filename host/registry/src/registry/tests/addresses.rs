//! Which address answers, and until when.

use serde_json::json;

use super::*;
use crate::ToolOverlay;

#[tokio::test]
async fn an_app_is_off_until_it_is_enabled() {
    let stage = Stage::new();
    let registry = stage.open().await;
    let app = registry
        .add(testing::app("app-one"))
        .await
        .expect("a new app")
        .app;
    assert!(!app.enabled && !app.has_address);
    assert!(registry.address(&app.id).expect("it is there").is_none());
    let address = registry.enable(&app.id).await.expect("it is there");
    assert_eq!(address.expose().len(), 32);
    assert_eq!(
        lease(&registry, &address).expect("it is enabled").app.id,
        app.id
    );
}

#[tokio::test]
async fn the_same_key_is_registered_once() {
    let stage = Stage::new();
    let registry = stage.open().await;
    let first = registry
        .add(testing::app("app-one"))
        .await
        .expect("a new app");
    registry.enable(&first.app.id).await.expect("it is there");
    let again = NewApp {
        facts: testing::facts("Another name"),
        ..testing::app("app-one")
    };
    let again = registry.add(again).await.expect("a known app");
    assert!(!first.existed && again.existed);
    assert_eq!(
        (&again.app.id, &*again.app.name, again.app.enabled),
        (&first.app.id, "App of app-one", true)
    );
    assert_eq!(registry.snapshot().len(), 1);
    assert!(
        registry
            .snapshot()
            .by_app_key(&Secret::new("app-one"))
            .is_some()
    );
    assert!(
        registry
            .snapshot()
            .by_app_key(&Secret::new("app-two"))
            .is_none()
    );
}

#[tokio::test]
async fn apps_of_the_same_name_get_slugs_of_their_own_and_are_found_by_them() {
    let stage = Stage::new();
    let registry = stage.open().await;
    for key in ["app-one", "app-two"] {
        added(
            &registry,
            NewApp {
                facts: testing::facts("Bot"),
                ..testing::app(key)
            },
        )
        .await;
    }
    let snapshot = registry.snapshot();
    assert_eq!(
        snapshot.apps().map(|app| &*app.slug).collect::<Vec<_>>(),
        ["bot", "bot-2"]
    );
    for app in snapshot.apps() {
        let by = |word: &str| snapshot.find(word).expect("it is there").id.clone();
        assert_eq!(
            (
                by(&app.slug),
                by(app.id.as_str()),
                by(&app.id.as_str()[..7])
            ),
            (app.id.clone(), app.id.clone(), app.id.clone())
        );
    }
    for word in ["", "nothing", "bot-"] {
        assert!(
            matches!(snapshot.find(word), Err(Error::UnknownApp)),
            "{word}"
        );
    }
}

#[tokio::test]
async fn a_beginning_that_several_ids_share_is_ambiguous() {
    let stage = Stage::new();
    let registry = stage.open().await;
    // One more than there are letters to begin an id with.
    for number in 0..33 {
        added(&registry, testing::app(&format!("app-{number}"))).await;
    }
    let snapshot = registry.snapshot();
    let shared = |letter: &str| {
        snapshot
            .apps()
            .filter(|app| app.id.as_str().starts_with(letter))
            .count()
    };
    let letter = snapshot
        .apps()
        .map(|app| &app.id.as_str()[..1])
        .find(|letter| shared(letter) > 1)
        .expect("33 ids, 32 letters");
    let Err(Error::Ambiguous { count }) = snapshot.find(letter) else {
        panic!("{letter} names several")
    };
    assert_eq!(count, shared(letter));
}

#[tokio::test]
async fn disabling_kills_the_address_at_once_and_enabling_restores_it() {
    let (_stage, registry, id, address) = published().await;
    let running = lease(&registry, &address).expect("it is enabled");
    registry.disable(&id).await.expect("it is there");
    assert!(lease(&registry, &address).is_none());
    assert!(running.revoked.is_cancelled());

    let restored = registry.enable(&id).await.expect("it is there");
    assert_eq!(restored.expose(), address.expose());
    let fresh = lease(&registry, &address).expect("it is enabled again");
    assert!(!fresh.revoked.is_cancelled());
    assert_eq!(fresh.app.credential_epoch, running.app.credential_epoch);
}

#[tokio::test]
async fn regenerating_replaces_the_address_at_once() {
    let (_stage, registry, id, old) = published().await;
    let running = lease(&registry, &old).expect("it is enabled");
    let new = registry.regenerate(&id).await.expect("it has an address");
    assert_ne!(new.expose(), old.expose());
    assert!(lease(&registry, &old).is_none());
    assert!(running.revoked.is_cancelled());
    let fresh = lease(&registry, &new).expect("the new one answers");
    assert!(!fresh.revoked.is_cancelled());
    assert_eq!(fresh.app.credential_epoch, running.app.credential_epoch + 1);
    assert_eq!(
        registry
            .address(&id)
            .expect("it is there")
            .expect("it has one")
            .expose(),
        new.expose()
    );
}

#[tokio::test]
async fn a_disabled_app_stays_disabled_on_its_new_address() {
    let (_stage, registry, id, old) = published().await;
    registry.disable(&id).await.expect("it is there");
    let new = registry.regenerate(&id).await.expect("it has an address");
    assert!(lease(&registry, &new).is_none());
    assert_eq!(
        registry.enable(&id).await.expect("it is there").expose(),
        new.expose()
    );
    assert!(lease(&registry, &old).is_none());
}

#[tokio::test]
async fn an_app_that_never_had_an_address_has_none_to_replace() {
    let stage = Stage::new();
    let registry = stage.open().await;
    let id = added(&registry, testing::app("app-one")).await;
    assert!(matches!(
        registry.regenerate(&id).await,
        Err(Error::NoAddress)
    ));
}

#[tokio::test]
async fn doing_again_what_is_done_changes_nothing() {
    let (_stage, registry, id, address) = published().await;
    let running = lease(&registry, &address).expect("it is enabled");
    let generation = registry.snapshot().generation;
    assert_eq!(
        registry.enable(&id).await.expect("it is there").expose(),
        address.expose()
    );
    assert!(!running.revoked.is_cancelled());
    assert_eq!(registry.snapshot().generation, generation);
    registry.disable(&id).await.expect("it is there");
    registry.disable(&id).await.expect("it is there");
    assert_eq!(registry.snapshot().generation, generation + 1);
}

#[tokio::test]
async fn removing_ends_everything_of_an_app() {
    let (_stage, registry, id, address) = published().await;
    let running = lease(&registry, &address).expect("it is enabled");
    registry.remove(&id).await.expect("it is there");
    assert!(running.revoked.is_cancelled());
    assert!(lease(&registry, &address).is_none());
    assert!(matches!(registry.app_key(&id), Err(Error::UnknownApp)));
    assert!(matches!(registry.remove(&id).await, Err(Error::UnknownApp)));
    let again = registry
        .add(testing::app("app-one"))
        .await
        .expect("its key is free again");
    assert!(!again.existed && again.app.id != id);
}

#[tokio::test]
async fn only_the_schema_that_was_learnt_and_is_still_there_is_withdrawn() {
    let (_stage, registry, id, address) = published().await;
    let schema = |word: &str| {
        let schema = json!({ "type": "object", "title": word });
        schema.as_object().expect("an object").clone()
    };
    let overlay = |learnt| {
        let output = crate::OutputOverlay {
            schema: schema("one"),
            learnt,
            withdrawn: false,
        };
        let tool = ToolOverlay {
            output: Some(output),
            ..ToolOverlay::default()
        };
        crate::Overlay {
            tools: [("run".to_owned(), tool)].into(),
            ..crate::Overlay::default()
        }
    };
    let set = |learnt| registry.set_overlay(&id, overlay(learnt));
    let withdraw = async |schema| registry.withdraw_output(&id, "run", &schema).await;

    set(false).await.expect("it is there");
    assert!(matches!(withdraw(schema("one")).await, Err(Error::Changed)));
    set(true).await.expect("it is there");
    assert!(matches!(withdraw(schema("two")).await, Err(Error::Changed)));
    let app = withdraw(schema("one")).await.expect("it was learnt");
    let output = app.overlay.tools["run"].output.as_ref();
    assert!(output.is_some_and(|output| output.withdrawn && output.schema == schema("one")));
    assert!(matches!(withdraw(schema("one")).await, Err(Error::Changed)));
    assert!(lease(&registry, &address).is_some());
}

#[tokio::test]
async fn a_running_call_outlives_changes_of_words_facts_settings_and_guest() {
    let (_stage, registry, id, address) = published().await;
    let running = lease(&registry, &address).expect("it is enabled");
    let tool = ToolOverlay {
        title: Some("Summary".to_owned()),
        ..ToolOverlay::default()
    };
    let overlay = crate::Overlay {
        tools: [("run".to_owned(), tool)].into(),
        limits: Default::default(),
    };
    registry
        .set_overlay(&id, overlay.clone())
        .await
        .expect("it is there");
    registry
        .set_facts(
            &record(&registry, &id),
            testing::facts("New name"),
            testing::described("v2"),
        )
        .await
        .expect("it is there");
    let settings = [("tone".to_owned(), "dry".to_owned())].into();
    registry
        .set_settings(&record(&registry, &id), settings, testing::described("v3"))
        .await
        .expect("it is there");
    let guest = Some(b"component".to_vec());
    let last = registry
        .set_guest(&record(&registry, &id), guest, testing::described("v4"))
        .await
        .expect("it is there");

    assert!(!running.revoked.is_cancelled());
    let app = &lease(&registry, &address).expect("it is enabled still").app;
    assert_eq!(**app, *last);
    assert_eq!(
        (&*app.name, &*app.slug, &*app.settings["tone"]),
        ("New name", "app-of-app-one", "dry")
    );
    assert_eq!(
        (app.guest, &*app.described_by, &app.overlay),
        (Some(Digest::of(b"component")), "v4", &overlay)
    );
    assert_eq!(
        app.manifest,
        json!({ "tools": [{ "name": "run", "by": "v4" }] })
    );

    registry.disable(&id).await.expect("it is there");
    assert!(
        running.revoked.is_cancelled(),
        "the token of an old lease is the address's own"
    );
}
