#!/bin/sh
# expect_failure.sh TEXT COMMAND...: succeeds only if COMMAND fails and says TEXT.
text=$1
shift
if output=$("$@" 2>&1); then
  echo "did not fail: $*"
  exit 1
fi
case $output in
  *"$text"*) exit 0 ;;
esac
echo "failed without saying '$text': $output"
exit 1
