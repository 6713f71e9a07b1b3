"""Analysing an archive on a cluster: objects of a store in, partitioned Parquet out.

The cluster's engine is Ray Data; stores are whatever fsspec opens. What is done with a file is not
here: workers call :func:`tonearm.library.file_analysis.analyse`, as a scan on one machine does.
"""
