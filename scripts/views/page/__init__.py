"""The tree as one web page: what is known of every file, in a file that sends no request.

`data` collects one document of plain data, `treemap` and `pipeline` draw it, and `html` puts it
into index.html with style.css and app.js beside it.
"""
