use airlock_form::{Files, Form};
use serde_json::{Map, Value, json};

/// A JSON Schema (2020-12) under construction. Each method sets one keyword and returns the schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema(Map<String, Value>);

impl Schema {
    /// An object without properties, which refuses unknown ones until [`Schema::open`] is said.
    #[must_use]
    pub fn object() -> Schema {
        Schema::typed("object")
            .set("properties", json!({}))
            .set("additionalProperties", false)
    }

    /// A text.
    #[must_use]
    pub fn text() -> Schema {
        Schema::typed("string")
    }

    /// One of these texts.
    #[must_use]
    pub fn choice<T: Into<String>>(options: impl IntoIterator<Item = T>) -> Schema {
        let options: Vec<String> = options.into_iter().map(Into::into).collect();
        Schema::typed("string").set("enum", options)
    }

    /// A number, whole or not.
    #[must_use]
    pub fn number() -> Schema {
        Schema::typed("number")
    }

    /// A whole number.
    #[must_use]
    pub fn integer() -> Schema {
        Schema::typed("integer")
    }

    /// True or false.
    #[must_use]
    pub fn boolean() -> Schema {
        Schema::typed("boolean")
    }

    /// A list of such items.
    #[must_use]
    pub fn list(items: Schema) -> Schema {
        Schema::typed("array").set("items", items)
    }

    /// A file: the guest gets a [`crate::FileRef`], whatever way the caller gives it. `types` are Dify's words (`image`,
    /// `document`, `audio`, `video`); none means any. In a list: `Schema::files`.
    #[must_use]
    pub fn file<T: Into<String>>(types: impl IntoIterator<Item = T>) -> Schema {
        Schema(taking(types).schema())
    }

    /// A list of files; see [`Schema::file`].
    #[must_use]
    pub fn files<T: Into<String>>(types: impl IntoIterator<Item = T>) -> Schema {
        Schema(taking(types).list_schema(None))
    }

    /// A schema that stands already.
    #[must_use]
    pub fn raw(schema: Map<String, Value>) -> Schema {
        Schema(schema)
    }

    fn typed(word: &str) -> Schema {
        Schema(Map::new()).set("type", word)
    }

    /// A property that may be left out.
    #[must_use]
    pub fn property(mut self, name: &str, schema: Schema) -> Schema {
        self.member("properties")
            .insert(name.to_owned(), schema.into());
        self
    }

    /// A property that must be there.
    #[must_use]
    pub fn required(self, name: &str, schema: Schema) -> Schema {
        self.property(name, schema).require(name)
    }

    /// The properties of a Dify app's input form, after those set so far.
    #[must_use]
    pub fn form(self, form: &Form) -> Schema {
        let mut schema = self;
        schema.member("properties").extend(form.properties());
        form.required().fold(schema, Schema::require)
    }

    /// Takes properties that the schema does not name.
    #[must_use]
    pub fn open(mut self) -> Schema {
        self.0.remove("additionalProperties");
        self
    }

    /// The short name a person reads.
    #[must_use]
    pub fn title(self, words: &str) -> Schema {
        self.set("title", words)
    }

    /// What an AI reads to know what to put here.
    #[must_use]
    pub fn description(self, words: &str) -> Schema {
        self.set("description", words)
    }

    /// What stands in for a value left out. It is a statement to the caller: the guest has to act on it.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Schema {
        self.set("default", value)
    }

    /// A text of this many characters at least.
    #[must_use]
    pub fn min_length(self, characters: u64) -> Schema {
        self.set("minLength", characters)
    }

    /// A text of this many characters at most.
    #[must_use]
    pub fn max_length(self, characters: u64) -> Schema {
        self.set("maxLength", characters)
    }

    /// A number from the first to the second, both included.
    #[must_use]
    pub fn range(self, least: impl Into<Value>, most: impl Into<Value>) -> Schema {
        self.set("minimum", least).set("maximum", most)
    }

    /// A list of this many items at most.
    #[must_use]
    pub fn max_items(self, items: u64) -> Schema {
        self.set("maxItems", items)
    }

    /// Any keyword.
    #[must_use]
    pub fn set(mut self, keyword: &str, value: impl Into<Value>) -> Schema {
        self.0.insert(keyword.to_owned(), value.into());
        self
    }

    fn require(mut self, name: &str) -> Schema {
        let list = self.0.entry("required").or_insert_with(|| json!([]));
        if let Some(names) = list.as_array_mut()
            && !names.iter().any(|known| known == name)
        {
            names.push(json!(name));
        }
        self
    }

    /// An object under `keyword`, made where there is none or something else.
    fn member(&mut self, keyword: &str) -> &mut Map<String, Value> {
        let slot = self.0.entry(keyword).or_insert_with(|| json!({}));
        if !slot.is_object() {
            *slot = json!({});
        }
        slot.as_object_mut()
            .expect("it was made an object just above")
    }
}

fn taking<T: Into<String>>(types: impl IntoIterator<Item = T>) -> Files {
    Files {
        types: types.into_iter().map(Into::into).collect(),
        ..Files::default()
    }
}

impl From<Schema> for Value {
    fn from(schema: Schema) -> Value {
        Value::Object(schema.0)
    }
}

impl From<&Form> for Schema {
    fn from(form: &Form) -> Schema {
        Schema(form.schema())
    }
}
