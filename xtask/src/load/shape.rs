//! The loads that servers are compared under, as data.

/// A load, in the terms of `larder-load`.
#[derive(Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    connections: u32,
    pipeline: u32,
    /// Retrievals to stores.
    ratio: &'static str,
    set: KeySet,
    /// CPU time a request, as a ratio to memcached's, that is to be reached.
    pub(super) goal: f64,
}

/// The items that a shape works on. All of them fit the servers' memory at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeySet {
    /// 100,000 values of 32 bytes.
    Small,
    /// 1000 values of 100 KB.
    Large,
}

impl Shape {
    /// Looks a shape up.
    ///
    /// # Errors
    /// A sentence with the names that there are.
    pub(super) fn named(name: &str) -> Result<&'static Self, String> {
        SHAPES.iter().find(|shape| shape.name == name).ok_or_else(|| {
            let names: Vec<_> = SHAPES.iter().map(|shape| shape.name).collect();
            format!("there is no shape `{name}`: {} are", names.join(", "))
        })
    }

    /// Flags of `larder-load`, its target and length left out.
    pub(super) fn flags(&self) -> Vec<String> {
        let line = format!(
            "--connections {} --pipeline {} --ratio {}",
            self.connections, self.pipeline, self.ratio
        );
        words(&line).chain(words(self.set.flags())).collect()
    }

    /// Flags of `larder-load` that store every item of the shape once.
    pub(super) fn fill_flags(&self) -> Vec<String> {
        let fill = "--populate --connections 4 --pipeline 1 --ratio 1:0 --requests 1 --verify";
        words(fill).chain(words(self.set.flags())).collect()
    }
}

impl KeySet {
    fn flags(self) -> &'static str {
        match self {
            Self::Small => "--keys 100000 --key-prefix key: --key-len 14 --value-size 32",
            Self::Large => "--keys 1000 --key-prefix large: --key-len 14 --value-size 100000",
        }
    }
}

fn words(line: &str) -> impl Iterator<Item = String> + '_ {
    line.split(' ').map(str::to_owned)
}

const GETS: &str = "1:0";
const SETS: &str = "0:1";

/// A name says what, how many connections, and how deep the pipeline is.
#[rustfmt::skip]
pub(super) const SHAPES: &[Shape] = &[
    Shape { name: "get-1x1", connections: 1, pipeline: 1, ratio: GETS, set: KeySet::Small, goal: 0.85 },
    Shape { name: "get-50x1", connections: 50, pipeline: 1, ratio: GETS, set: KeySet::Small, goal: 0.88 },
    Shape { name: "get-500x1", connections: 500, pipeline: 1, ratio: GETS, set: KeySet::Small, goal: 0.88 },
    Shape { name: "get-50x16", connections: 50, pipeline: 16, ratio: GETS, set: KeySet::Small, goal: 0.62 },
    Shape { name: "get-10x64", connections: 10, pipeline: 64, ratio: GETS, set: KeySet::Small, goal: 0.42 },
    Shape { name: "set-50x1", connections: 50, pipeline: 1, ratio: SETS, set: KeySet::Small, goal: 0.90 },
    Shape { name: "set-50x16", connections: 50, pipeline: 16, ratio: SETS, set: KeySet::Small, goal: 0.65 },
    Shape { name: "mix-1000x1", connections: 1000, pipeline: 1, ratio: "9:1", set: KeySet::Small, goal: 0.90 },
    Shape { name: "large-20x1", connections: 20, pipeline: 1, ratio: GETS, set: KeySet::Large, goal: 0.95 },
];

#[cfg(test)]
mod tests {
    use super::{SHAPES, Shape};

    #[test]
    fn shapes_are_found_by_their_names() {
        for shape in SHAPES {
            assert_eq!(Shape::named(shape.name), Ok(shape), "names are distinct");
            let (_, size) = shape.name.split_once('-').expect("a name has a size");
            assert_eq!(size, format!("{}x{}", shape.connections, shape.pipeline));
        }
        let error = Shape::named("get-7x7").expect_err("no such shape");
        assert!(error.contains("get-50x16, get-10x64"), "{error}");
    }
}
