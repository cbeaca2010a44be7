//! The keys of each attribute, their forms, and hints for keys of other libraries.

/// One key of an attribute.
pub(crate) struct Row {
    pub(crate) key: &'static str,
    /// How it is written. Empty for a key of another library.
    pub(crate) form: &'static str,
    /// The hint for a key of another library.
    pub(crate) hint: &'static str,
}

pub(crate) type Table = &'static [Row];

const fn key(key: &'static str, form: &'static str) -> Row {
    Row { key, form, hint: "" }
}

const fn habit(key: &'static str, hint: &'static str) -> Row {
    Row { key, form: "", hint }
}

const CRATE: Row = key("crate", "crate = ::renamed");
const RENAME_ALL: Row = key("rename_all", "rename_all = \"snake_case\"");
const DOCS: &str = "write the help as a doc comment, `/// ...`";
const RENAME: Row = habit("rename", "write `name = \"...\"`");

/// `#[udf(...)]`
pub(crate) const UDF: Table = &[
    key("at_least_one_of", "at_least_one_of(field, field)"),
    CRATE,
    key("metrics", "metrics(HITS, MISSES)"),
    key("name", "name = \"moving_average\""),
    key("on_missing", "on_missing = skip"),
    key("point", "point = Cpu<'_>"),
    key("provides", "provides = stream"),
    RENAME_ALL,
    key("tick", "tick = \"10s\""),
    key("wants", "wants = stream"),
    habit("input", "write `wants = stream` or `wants = batch`"),
    habit("output", "write `provides = stream` or `provides = batch`"),
    habit("stream", "write `wants = stream` to read it, `provides = stream` to send it"),
    habit("batch", "write `wants = batch` to read it, `provides = batch` to send it"),
    RENAME,
    habit("version", "a UDF has the version of its package"),
    habit("about", DOCS),
    habit("description", DOCS),
    habit("doc", DOCS),
    habit("help", DOCS),
    habit("interval", "write `tick = \"10s\"` or `tick = field`"),
    habit("counters", "write `metrics(...)`"),
    habit("gauges", "write `metrics(...)`"),
    habit(
        "workers",
        "write `impl ConcurrentUdf` in place of `impl StreamUdf`; its `workers` returns the number",
    ),
];

/// `#[option(...)]` on a field of a UDF.
pub(crate) const OPTION: Table = &[
    key("above", "above = 0.0"),
    key("alias", "alias = \"length\", alias = \"size\""),
    key("conflicts", "conflicts(field, field)"),
    key("default", "default = 10"),
    key("deprecated", "deprecated = \"use ...\""),
    key("env", "env = \"TOKEN\""),
    key("example", "example = 10"),
    key("flag", "flag"),
    key("hidden", "hidden"),
    key("len", "len = 1..=10"),
    key("must_be", "must_be = \"an even number\""),
    key("name", "name = \"size\""),
    key("parse", "parse"),
    key("range", "range = 1..=10"),
    key("requires", "requires(field, field)"),
    key("secret", "secret"),
    key("validate", "validate = path::to::function"),
    habit(
        "required",
        "an option is required unless it is an `Option`, a `Vec` or a flag, or has a `default`",
    ),
    habit("optional", "write its type as `Option<T>`, or give it a `default`"),
    habit("help", DOCS),
    habit("doc", DOCS),
    habit("about", DOCS),
    habit("description", DOCS),
    habit("at_least_one_of", "write it in `#[udf(...)]`"),
    habit("below", "write `range = ..10`"),
    habit("min", "write `range = 1..=10`"),
    habit("max", "write `range = 1..=10`"),
    RENAME,
    habit("aliases", "write `alias = \"...\"`, once for each name"),
    habit("choices", "write an enum with `#[derive(udf_runtime::options::OptionType)]`"),
    habit("values", "write an enum with `#[derive(udf_runtime::options::OptionType)]`"),
    habit("possible_values", "write an enum with `#[derive(udf_runtime::options::OptionType)]`"),
    habit("multiple", "write its type as `Vec<T>`"),
    habit("repeated", "write its type as `Vec<T>`"),
    habit("skip", "remove `#[option]` for working memory, which tasks cannot set"),
    habit("on_missing", "write it in `#[udf(...)]`"),
    habit("tick", "write it in `#[udf(...)]`"),
    habit("rename_all", "write it in `#[udf(...)]`"),
];

/// `#[state(...)]`
pub(crate) const STATE: Table = &[
    key("made_with", "made_with(field, field)"),
    key("max", "max = field"),
    key("name", "name = \"windows\""),
    RENAME,
    habit("skip", "remove `#[state]` for working memory, which snapshots do not contain"),
    habit("default", "the initial value of state is the `Default` of its type"),
];

/// `#[option(...)]` on an enum.
pub(crate) const CHOICES: Table = &[CRATE, key("ignore_case", "ignore_case"), RENAME_ALL];

/// `#[option(...)]` on a struct.
pub(crate) const STRUCT: Table = &[CRATE];

/// `#[option(...)]` on a variant.
pub(crate) const CHOICE: Table = &[
    key("alias", "alias = \"one\", alias = \"other\""),
    key("name", "name = \"text\""),
    RENAME,
    habit("aliases", "write `alias = \"...\"`, once for each name"),
    habit("skip", "every variant is a choice; remove the variant"),
    habit("help", DOCS),
    habit("default", "write `default = Name::Variant` on the option"),
];

/// `#[point(...)]` and `#[fields(...)]` on a struct.
pub(crate) const TYPED: Table = &[CRATE, RENAME_ALL];

/// `#[field(...)]`
pub(crate) const FIELD: Table = &[
    key("name", "name = \"usage_user\""),
    key("skip", "skip"),
    RENAME,
    habit("default", "write its type as `Option<T>`"),
    habit("optional", "write its type as `Option<T>`"),
    habit("flatten", "write a member for each field"),
];

/// `#[tag(...)]`
pub(crate) const TAG: Table = &[
    key("name", "name = \"host\""),
    RENAME,
    habit("default", "write its type as `Option<T>`"),
    habit("optional", "write its type as `Option<T>`"),
];

/// `#[shared]` on a field of a UDF.
pub(crate) const SHARED: Table = &[];

/// `#[time]`, `#[group]` and `#[point]` on a member.
pub(crate) const NONE: Table = &[];
