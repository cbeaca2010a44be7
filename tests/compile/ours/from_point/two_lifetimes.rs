use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case<'a, 'b> {
    #[tag]
    host: &'a str,
    #[tag]
    rack: &'b str,
}

fn main() {}
