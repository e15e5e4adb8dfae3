use super::*;

#[test]
fn the_form_is_a_word_among_the_filters() {
    assert_eq!(read(""), (None, "info".to_owned()));
    assert_eq!(read("json"), (Some(Form::Json), "info".to_owned()));
    assert_eq!(read("warn,text"), (Some(Form::Text), "warn".to_owned()));
    assert_eq!(
        read("info, wharf_gateway=debug"),
        (None, "info,wharf_gateway=debug".to_owned())
    );
}
