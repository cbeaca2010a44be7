use udf_runtime::FromPoint;

type Text = &'static str;

#[derive(FromPoint)]
struct Case {
    #[tag]
    host: Text,
}

fn main() {}
