"""For plugins of other programs: the genres of albums, without a Tonearm library."""
