use udf_runtime::FromPoint;

struct Own;

#[derive(FromPoint)]
struct Case {
    #[field]
    a: Own,
    #[field]
    b: Option<std::time::Duration>,
    #[tag]
    c: u8,
    #[time]
    d: u64,
    #[group]
    e: Own,
    #[point]
    f: Own,
}

fn main() {}
