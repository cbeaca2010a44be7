//! A TICKscript to start from.

use udf_proto::EdgeType;

use super::text::wrap;
use super::{Description, OptionHelp, arguments};

impl Description {
    /// A TICKscript that runs the UDF on the measurement `cpu` of the database `telegraf`.
    ///
    /// Options that a task must call are called. The others are there as comments, unless it is not known
    /// which are which; deprecated ones are not there.
    pub fn to_tick(&self) -> String {
        let mut out = String::from("dbrp \"telegraf\".\"autogen\"\n\n");
        comment(&self.help, "", &mut out);
        out.push_str(match self.wants {
            EdgeType::Stream => {
                "\
stream
    |from()
        .measurement('cpu')
        .groupBy(*)
"
            }
            EdgeType::Batch => {
                "\
batch
    |query('SELECT * FROM \"telegraf\".\"autogen\".\"cpu\"')
        .period(10s)
        .every(10s)
        .groupBy(*)
"
            }
        });
        out.push_str(&format!("    @{}()\n", self.name));
        for option in self.options.iter().filter(|option| option.deprecated.is_none()) {
            append_option(option, self.complete, &mut out);
        }
        out.push_str("    |log()\n");
        out
    }
}

fn append_option(option: &OptionHelp, complete: bool, out: &mut String) {
    let indent = "        ";
    let live = option.required || !complete;
    if live {
        comment(&option.help, indent, out);
    } else {
        comment(&format!("Optional. {}", option.help), indent, out);
    }
    let mark = if live { "" } else { "// " };
    out.push_str(&format!("{indent}{mark}.{}({})\n", option.name, arguments(&option.sample())));
}

/// Appends the first paragraph of `text` as a comment.
fn comment(text: &str, indent: &str, out: &mut String) {
    let paragraph = text.trim().lines().map(str::trim).take_while(|line| !line.is_empty());
    let paragraph = paragraph.collect::<Vec<_>>().join(" ");
    wrap(&paragraph, &format!("{indent}// "), 96, out);
}
