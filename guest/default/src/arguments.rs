use airlock_guest::dify::Request;
use airlock_guest::form::{Field, Form, Kind};
use airlock_guest::{App, CallRequest, Error, Schema};

/// What the user says, in the modes that converse.
pub(crate) const QUERY: &str = "query";
/// The handle of a conversation that goes on, in the same modes.
const CONVERSATION: &str = "conversation";

/// How the tool's arguments and the app's variables stand to each other: they are the same but for two names, which the
/// tool needs for itself where the app converses.
pub(crate) struct Layout {
    converses: bool,
    /// The app's form under the arguments' names.
    form: Form,
    /// Variables that had to give way: the argument's name, then the app's.
    renamed: Vec<(String, String)>,
}

impl Layout {
    pub(crate) fn of(app: &App) -> Layout {
        let mut layout = Layout {
            converses: app.mode.converses(),
            form: app.form(),
            renamed: Vec::new(),
        };
        if !layout.converses {
            // `query` is a variable like any other here, and one that completion apps commonly have.
            return layout;
        }
        for variable in [QUERY, CONVERSATION] {
            let mut name = format!("input_{variable}");
            while layout.form.field(&name).is_some() {
                name.push('_');
            }
            if let Some(field) = layout
                .form
                .fields
                .iter_mut()
                .find(|field| field.variable == variable)
            {
                field.variable.clone_from(&name);
                layout.renamed.push((name, variable.to_owned()));
            }
        }
        layout
    }

    pub(crate) fn converses(&self) -> bool {
        self.converses
    }

    /// The inputs that a person sees, in the form's order.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Field> {
        self.form.fields.iter().filter(|field| field.is_shown())
    }

    /// Those that can be typed as one text.
    pub(crate) fn typed(&self) -> impl Iterator<Item = &Field> {
        self.shown().filter(|field| match field.kind {
            Kind::Text { .. } | Kind::Select { .. } | Kind::Number | Kind::Checkbox => true,
            Kind::JsonObject { .. }
            | Kind::File(_)
            | Kind::FileList { .. }
            | Kind::External
            | Kind::Other(_) => false,
        })
    }

    pub(crate) fn schema(&self) -> Schema {
        if !self.converses {
            return Schema::from(&self.form);
        }
        let query = Schema::text()
            .min_length(1)
            .title("Query")
            .description("What to say to the app.");
        let conversation = Schema::text().title("Conversation").description(
            "Goes on with an earlier conversation: the handle that its answer ended with. Leave it out to start a new one.",
        );
        Schema::object()
            .required(QUERY, query)
            .form(&self.form)
            .property(CONVERSATION, conversation)
    }

    /// What Dify is asked for these arguments.
    ///
    /// Files are handed on as addresses, which Dify fetches. Defaults are sent, because Dify itself applies them only to
    /// some variables in some modes.
    pub(crate) fn request(&self, call: CallRequest) -> Result<Request, Error> {
        let mut request = Request::new();
        if self.converses {
            request.query = Some(call.get(QUERY)?);
            // A model that has nothing to say there says "".
            request.conversation = call
                .get::<Option<String>>(CONVERSATION)?
                .filter(|handle| !handle.is_empty());
        }
        let mut arguments = call.arguments;
        if self.converses {
            arguments.remove(QUERY);
            arguments.remove(CONVERSATION);
        }
        let mut inputs = self.form.complete(self.form.inputs(arguments)?);
        for (name, variable) in &self.renamed {
            if let Some(value) = inputs.remove(name) {
                inputs.insert(variable.clone(), value);
            }
        }
        Ok(request.inputs(inputs))
    }
}
