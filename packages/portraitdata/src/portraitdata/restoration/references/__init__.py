"""Reference faces of training views: choice, alteration and hidden parts."""
