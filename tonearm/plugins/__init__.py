"""What programs of others call: which genres the files of albums get, without a library of ours."""
