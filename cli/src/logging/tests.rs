use super::*;

#[test]
fn the_form_is_a_word_among_the_filters() {
    assert_eq!(read("", "info"), (None, "info".to_owned()));
    assert_eq!(read("json", "warn"), (Some(Form::Json), "warn".to_owned()));
    assert_eq!(read("warn,text", "info"), (Some(Form::Text), "warn".to_owned()));
    assert_eq!(
        read("info, wharf_gateway=debug", "warn"),
        (None, "info,wharf_gateway=debug".to_owned())
    );
}
