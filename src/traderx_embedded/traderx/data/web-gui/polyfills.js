// Nothing is missing in today's browsers; the real application has this script too.
