//! The path of a route, and whether a request's path is one of it.

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

/// A path with names in it. Of two, the more literal is the smaller; those that match the same paths are equal in
/// order, whatever their names.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Segment>);

#[derive(Debug)]
enum Segment {
    Literal(String),
    /// `{name}`
    One(Rc<str>),
    /// `{*name}`
    Rest(Rc<str>),
}

impl Pattern {
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let path = path.strip_prefix('/').ok_or("a path begins with `/`")?;
        let segments: Vec<_> = path.split('/').map(Segment::parse).collect::<Result<_, _>>()?;
        let before_last = segments.len().saturating_sub(1);
        if segments
            .iter()
            .take(before_last)
            .any(|segment| matches!(segment, Segment::Rest(_)))
        {
            return Err("`{*…}` takes all that is left, so it comes last".to_owned());
        }
        let mut names: Vec<&str> = segments.iter().filter_map(Segment::name).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[one, other]| one == other) {
            return Err(format!("`{name}` is there twice"));
        }
        Ok(Self(segments))
    }

    /// What the path has in the places of the names, as it was sent; None if it is not one of this pattern.
    pub(super) fn matches(&self, path: &str) -> Option<Vec<(Rc<str>, String)>> {
        let mut parameters = Vec::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in &self.0 {
            let left = rest?;
            let (one, after) = match left.split_once('/') {
                Some((one, after)) => (one, Some(after)),
                None => (left, None),
            };
            match segment {
                Segment::Literal(text) if text == one => {}
                Segment::One(name) if !one.is_empty() => parameters.push((Rc::clone(name), one.to_owned())),
                Segment::Rest(name) if !left.is_empty() => {
                    parameters.push((Rc::clone(name), left.to_owned()));
                    return Some(parameters);
                }
                _ => return None,
            }
            rest = after;
        }
        rest.is_none().then_some(parameters)
    }

    /// Whether two patterns that match the same paths give their parts the same names.
    pub(super) fn check_names(&self, other: &Self) -> Result<(), String> {
        let mut pairs = self.0.iter().zip(&other.0);
        match pairs.find(|(one, other)| one.name() != other.name()) {
            Some((one, other)) => Err(format!(
                "it matches the same paths as another one, where `{other}` is called `{one}`"
            )),
            None => Ok(()),
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            return match text.chars().next() {
                Some(':' | '*') => Err(format!(
                    "`{text}`: a name is written `{{name}}`, all that is left `{{*name}}`"
                )),
                _ if text.contains(['{', '}']) => {
                    Err(format!("`{text}`: a name in braces is a whole segment"))
                }
                _ => Ok(Self::Literal(text.to_owned())),
            };
        };
        let (name, rest) = match name.strip_prefix('*') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name.is_empty() || name.contains(['{', '}', '*']) {
            return Err(format!("`{text}`: there is no name in it"));
        }
        let name = Rc::from(name);
        Ok(if rest { Self::Rest(name) } else { Self::One(name) })
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::One(name) | Self::Rest(name) => Some(name),
        }
    }

    /// The more literal first; names make no difference.
    fn rank(&self) -> (u8, &str) {
        match self {
            Self::Literal(text) => (0, text),
            Self::One(_) => (1, ""),
            Self::Rest(_) => (2, ""),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or_default())
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0
            .iter()
            .map(Segment::rank)
            .cmp(other.0.iter().map(Segment::rank))
    }
}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Pattern {}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
