use airlock_guest::dify::Request;
use airlock_guest::form::{Field, Form, Kind, Uploads};
use airlock_guest::{App, CallRequest, Error, FileRef, Mode, Schema};

use crate::conversation;

/// What the user says, in the modes that converse.
pub(crate) const QUERY: &str = "query";
/// Files for the whole message, where the app takes those.
const FILES: &str = "files";

/// How the tool's arguments and the app's variables stand to each other: they are the same but for the names that the
/// tool needs for itself where the app converses or takes files beside its form.
pub(crate) struct Layout {
    converses: bool,
    /// Does a client's session go on with its conversation by itself?
    per_session: bool,
    uploads: Option<Uploads>,
    /// The app's form under the arguments' names.
    form: Form,
    /// Variables that had to give way: the argument's name, then the app's.
    renamed: Vec<(String, String)>,
}

impl Layout {
    pub(crate) fn of(app: &App) -> Layout {
        let mut layout = Layout {
            converses: app.mode.converses(),
            per_session: app.setting("conversation") == Some("per-session"),
            // A workflow takes its files through variables.
            uploads: app.uploads().filter(|_| app.mode != Mode::Workflow),
            form: app.form(),
            renamed: Vec::new(),
        };
        // `query` is a variable like any other where nobody converses, and one that completion apps commonly have.
        let mut taken = Vec::new();
        if layout.converses {
            taken.extend([QUERY, conversation::ARGUMENT]);
        }
        if layout.uploads.is_some() {
            taken.push(FILES);
        }
        for variable in taken {
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
        let schema = if self.converses {
            self.conversation()
        } else {
            Schema::from(&self.form)
        };
        match &self.uploads {
            Some(uploads) => schema.property(FILES, files(uploads)),
            None => schema,
        }
    }

    fn conversation(&self) -> Schema {
        let query = Schema::text()
            .min_length(1)
            .title("Query")
            .description("What to say to the app.");
        let handle = Schema::text()
            .title("Conversation")
            .description(if self.per_session {
                "Leave it out to go on with the conversation of this session, if there is one. `new` starts a new one, and \
                 the handle of an earlier answer goes back to that conversation."
            } else {
                "Goes on with an earlier conversation: the handle that its answer ended with. Leave it out to start a new one."
            });
        Schema::object()
            .required(QUERY, query)
            .form(&self.form)
            .property(conversation::ARGUMENT, handle)
    }

    /// What Dify is asked for these arguments.
    ///
    /// Files are handed on as the host's references. Defaults are sent, because Dify itself applies them only to some
    /// variables in some modes.
    pub(crate) fn request(&self, call: CallRequest) -> Result<Request, Error> {
        let mut request = Request::new();
        if self.converses {
            request.query = Some(call.get(QUERY)?);
            request.conversation = conversation::wanted(&call)?;
        }
        if self.uploads.is_some() {
            let files: Option<Vec<FileRef>> = call.get(FILES)?;
            request.files = files.unwrap_or_default();
        }
        let mut arguments = call.arguments;
        if self.converses {
            arguments.remove(QUERY);
            arguments.remove(conversation::ARGUMENT);
        }
        if self.uploads.is_some() {
            arguments.remove(FILES);
        }
        let mut inputs = self.form.complete(arguments);
        for (name, variable) in &self.renamed {
            if let Some(value) = inputs.remove(name) {
                inputs.insert(variable.clone(), value);
            }
        }
        Ok(request.inputs(inputs))
    }
}

fn files(uploads: &Uploads) -> Schema {
    let allowed = uploads.files.allowed();
    let about = match allowed {
        Some(allowed) => format!("Files for the app to look at ({allowed})."),
        None => "Files for the app to look at.".to_owned(),
    };
    Schema::raw(uploads.files.list_schema(uploads.max_items))
        .title("Files")
        .description(&about)
}
