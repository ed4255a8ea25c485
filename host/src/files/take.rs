//! A caller's files, judged before the guest runs and before Dify hears of them.

use airlock_form::{FileKind, Files as Takes};
use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::given::{Data, Given, Rule, kind};
use super::handle::{Handle, Place};
use super::held::{Held, Source};
use super::{CallFiles, FetchedBy, Sizes, names};
use crate::publish::FileInput;

impl CallFiles {
    /// Takes the files that a caller gave for an input. What comes back is what the guest gets: a reference, or a list of
    /// them; none where the caller left the input out.
    ///
    /// # Errors
    /// A sentence that names the input and the rule.
    pub fn take(
        &self,
        input: &FileInput,
        sizes: &Sizes,
        value: &RawValue,
    ) -> Result<Option<Value>, String> {
        let Some(many) = input.many else {
            let one = self.one(&input.takes, sizes, value);
            return one
                .map_err(|rule| rule.of(&input.name))
                .map(|one| one.map(Value::String));
        };
        if value.get() == "null" {
            return Ok(None);
        }
        let values: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|_| {
            Rule::new(format!("must be a list of files, not {}", kind(value))).of(&input.name)
        })?;
        let got = values.len();
        if let Some(most) = many.most.filter(|most| got > *most) {
            return Err(Rule::new(format!("takes {most} files at most, not {got}")).of(&input.name));
        }
        let mut references = Vec::with_capacity(got.min(many.most.unwrap_or(got)));
        for (place, value) in values.into_iter().enumerate() {
            let item = || format!("{}[{place}]", input.name);
            let one = self
                .one(&input.takes, sizes, value)
                .map_err(|rule| rule.of(&item()))?;
            references.extend(one.map(Value::String));
        }
        Ok(Some(Value::Array(references)))
    }

    fn one(&self, takes: &Takes, sizes: &Sizes, value: &RawValue) -> Result<Option<String>, Rule> {
        let held = match Given::read(value)? {
            None => return Ok(None),
            Some(Given::Url(url)) => {
                let host_fetches = self.files.settings.fetched_by == FetchedBy::Airlock;
                let taken = takes.takes_urls() || host_fetches && takes.takes_uploads();
                if !taken {
                    return Err(Rule::new(
                        "takes no addresses: give the file's data and name",
                    ));
                }
                let name = names::of_address(url.as_str());
                let kind = FileKind::of_name(&name);
                fits(takes, &name, kind)?;
                let sizes = *sizes;
                Held::new(
                    name,
                    names::UNKNOWN.into(),
                    kind,
                    Source::Address { url, sizes },
                )
            }
            Some(Given::Data(data)) => {
                uploads(takes)?;
                self.decoded(takes, sizes, &data)?
            }
            Some(Given::Handle(handle)) => {
                uploads(takes)?;
                let handle = self.earlier(&handle)?;
                let kind = Some(FileKind::of(&handle.name, &handle.mime_type));
                fits(takes, &handle.name, kind)?;
                small_enough(handle.size(), sizes, kind)?;
                let (name, mime_type) = (handle.name.clone(), handle.mime_type.clone());
                Held::new(name, mime_type, kind, Source::Earlier(handle))
            }
        };
        self.hold(held)
            .map(Some)
            .ok_or_else(|| Rule::new("is one file more than a call may have"))
    }

    fn decoded(&self, takes: &Takes, sizes: &Sizes, data: &Data<'_>) -> Result<Held, Rule> {
        let kind = Some(FileKind::of(&data.name, &data.mime_type));
        fits(takes, &data.name, kind)?;
        // The estimate is over by two bytes at most, and by what line breaks take.
        let room = self.files.room(data.most_bytes()).ok_or_else(|| {
            Rule::new("cannot be taken now: this server holds as many files as it may. Try again in a few seconds")
        })?;
        let bytes = data.decoded()?;
        small_enough(bytes.len(), sizes, kind)?;
        Ok(Held::given(
            data.name.clone(),
            data.mime_type.clone(),
            Bytes::from(bytes),
            room,
        ))
    }

    fn earlier(&self, handle: &str) -> Result<Handle, Rule> {
        let forgotten = || {
            Rule::new(
                "is a handle that means nothing here: its time is over, the address has changed since, or it is \
                       another app's. Give the file itself",
            )
        };
        let handle = self
            .files
            .handles
            .open(&self.owner, handle)
            .ok_or_else(forgotten)?;
        match &handle.place {
            Place::Spool(place) if !self.files.spool.has(&self.owner.app, place) => {
                Err(forgotten())
            }
            Place::Spool(_) | Place::Upload(_) => Ok(handle),
        }
    }
}

fn uploads(takes: &Takes) -> Result<(), Rule> {
    if takes.takes_uploads() {
        return Ok(());
    }
    Err(Rule::new("takes addresses only: give the file's url"))
}

/// Is it of a kind that is taken?
pub(super) fn fits(takes: &Takes, name: &str, kind: Option<FileKind>) -> Result<(), Rule> {
    if takes.takes(name, kind) {
        return Ok(());
    }
    let allowed = takes.allowed().unwrap_or_else(|| "other files".into());
    let got = match kind {
        None => "a file of another kind".to_owned(),
        Some(FileKind::Custom) => "a file whose kind its name and type do not tell".to_owned(),
        Some(kind) => format!("{} {}", article(kind), kind.as_str()),
    };
    Err(Rule::new(format!("takes {allowed}, not {got}")))
}

fn article(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Image | FileKind::Audio => "an",
        FileKind::Video | FileKind::Document | FileKind::Custom => "a",
    }
}

pub(super) fn small_enough(
    bytes: usize,
    sizes: &Sizes,
    kind: Option<FileKind>,
) -> Result<(), Rule> {
    let most = sizes.most(kind);
    if bytes <= most {
        return Ok(());
    }
    let what = match kind {
        Some(kind) if kind != FileKind::Custom => format!("{} {}", article(kind), kind.as_str()),
        _ => "a file".into(),
    };
    let mib = |bytes: usize| bytes.div_ceil(1 << 20);
    Err(Rule::new(format!(
        "has {} MiB, and {} MiB are the most for {what}",
        mib(bytes),
        most >> 20
    )))
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::files::testing;
    use crate::publish::Many;

    fn input(types: &[&str], methods: &[&str], many: Option<usize>) -> FileInput {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        FileInput {
            name: "doc".into(),
            takes: Takes {
                types: words(types),
                extensions: Vec::new(),
                methods: words(methods),
            },
            many: many.map(|most| Many { most: Some(most) }),
        }
    }

    fn take(call: &CallFiles, input: &FileInput, value: &Value) -> Result<Option<Value>, String> {
        let sizes = Sizes::of(&json!({"system_parameters": {"image_file_size_limit": 1}}));
        call.take(input, &sizes, &to_raw_value(value).expect("JSON"))
    }

    #[test]
    fn what_fits_becomes_a_reference_of_this_call_alone() {
        let call = testing::call();
        let file = json!({"data": "aGk=", "name": "a.txt"});
        let taken = take(&call, &input(&["document"], &[], None), &file).expect("it fits");
        let reference = taken.as_ref().and_then(Value::as_str).expect("a reference");
        assert_eq!(call.find(reference).expect("held").length(), Some(2));
        let other = testing::call();
        take(&other, &input(&[], &[], None), &file).expect("it fits");
        assert!(other.find(reference).is_none());
        let list = take(
            &call,
            &input(&[], &[], Some(2)),
            &json!([file, "https://example.com/a.txt"]),
        );
        assert_eq!(
            list.expect("they fit")
                .and_then(|list| list.as_array().map(Vec::len)),
            Some(2)
        );
    }

    #[test]
    fn what_does_not_fit_is_told_by_input_rule_and_kind() {
        let call = testing::call();
        let large = BASE64.encode(&vec![0; (1 << 20) + 1]);
        for (input, value, words) in [
            (
                input(&["image"], &[], None),
                json!({"data": "aGk=", "name": "a.txt"}),
                "`doc` takes image, not a document",
            ),
            (
                input(&["image"], &[], None),
                json!("https://example.com/a.mp3"),
                "`doc` takes image, not an audio",
            ),
            (
                input(&["image"], &[], None),
                json!({"data": "aGk=", "name": "a.bin"}),
                "`doc` takes image, not a file whose kind its name and type do not tell",
            ),
            (
                input(&["image"], &[], None),
                json!({"data": large, "name": "a.png"}),
                "`doc` has 2 MiB, and 1 MiB are the most for an image",
            ),
            (
                input(&[], &["remote_url"], None),
                json!({"data": "aGk=", "name": "a.txt"}),
                "`doc` takes addresses only: give the file's url",
            ),
            (
                input(&[], &["local_file"], None),
                json!("https://example.com/a.txt"),
                "`doc` takes no addresses: give the file's data and name",
            ),
            (
                input(&[], &[], Some(1)),
                json!(["https://a.example/1", "https://a.example/2"]),
                "`doc` takes 1 files at most, not 2",
            ),
            (
                input(&[], &[], Some(1)),
                json!({"url": "https://a.example/1"}),
                "`doc` must be a list of files, not an object",
            ),
            (
                input(&[], &[], Some(3)),
                json!(["https://a.example/1", "x"]),
                "`doc[1]` is no http or https address",
            ),
        ] {
            assert_eq!(
                take(&call, &input, &value),
                Err(words.to_owned()),
                "{value}"
            );
        }
    }

    #[test]
    fn a_handle_is_good_for_its_app_and_epoch_until_its_time_is_over() {
        let files = testing::files();
        let seal = |ttl: u64| {
            let place = Place::Upload("u1".into());
            let handle = Handle::new(
                place,
                "a.txt",
                "text/plain",
                2,
                std::time::Duration::from_secs(ttl),
            );
            files.handles.seal(&testing::owner("app", 1), &handle)
        };
        let call =
            |app: &str, epoch| CallFiles::new(files.clone(), testing::owner(app, epoch), None);
        let input = input(&["document"], &[], None);
        let good = json!({"handle": seal(60)});
        assert!(take(&call("app", 1), &input, &good).is_ok());
        for (call, handle) in [
            (call("app", 2), good.clone()),
            (call("other", 1), good),
            (call("app", 1), json!({"handle": seal(0)})),
            (call("app", 1), json!("airlock-file:AAAA")),
        ] {
            let refused = take(&call, &input, &handle).expect_err("it means nothing here");
            assert!(
                refused.starts_with("`doc` is a handle that means nothing here"),
                "{refused}"
            );
        }
    }

    #[test]
    fn files_that_memory_has_no_room_for_are_refused_and_room_comes_back() {
        let call = testing::call();
        let sizes = Sizes::of(&json!({}));
        let file = json!({"data": BASE64.encode(&vec![0; 14 << 20]), "name": "a.txt"});
        let file = to_raw_value(&file).expect("JSON");
        let input = input(&[], &[], None);
        for _ in 0..4 {
            call.take(&input, &sizes, &file).expect("room");
        }
        let refused = call
            .take(&input, &sizes, &file)
            .expect_err("64 MiB are full");
        assert!(
            refused.contains("holds as many files as it may"),
            "{refused}"
        );
        let files = call.files.clone();
        drop(call);
        let next = CallFiles::new(files, testing::owner("app", 1), None);
        next.take(&input, &sizes, &file).expect("room again");
    }
}
