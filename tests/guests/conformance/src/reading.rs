use airlock_guest::{ReadResult, Resource, ResourceList, ResourceTemplate, json};

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
const WATCHED: &str = "test://watched-resource";

pub(crate) fn list() -> ResourceList {
    let resource = |uri, name, mime_type| {
        Resource::new(uri, name)
            .description("A fixture.")
            .mime_type(mime_type)
    };
    let template = ResourceTemplate::new("test://template/{id}/data", "template")
        .description("A fixture for every id.")
        .mime_type("application/json");
    ResourceList::new()
        .resource(resource(TEXT, "static-text", "text/plain"))
        .resource(resource(BINARY, "static-binary", "image/png"))
        .resource(resource(WATCHED, "watched-resource", "text/plain"))
        .template(template)
}

pub(crate) fn read(uri: &str) -> Option<ReadResult> {
    Some(match uri {
        TEXT => ReadResult::text(
            uri,
            "text/plain",
            "This is the content of the static text resource.",
        ),
        BINARY => ReadResult::bytes(uri, "image/png", *include_bytes!("pixel.png")),
        WATCHED => ReadResult::text(uri, "text/plain", "Nobody has changed this yet."),
        _ => {
            let id = uri
                .strip_prefix("test://template/")?
                .strip_suffix("/data")?;
            let data =
                json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            ReadResult::text(uri, "application/json", data.to_string())
        }
    })
}
