# Makes dist/app.wasm. What that takes is installed into .venv the first time, and when requirements.txt changes.
set -e
if ! [ .venv/installed -nt requirements.txt ]; then
    echo "installing requirements.txt into .venv"
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
    touch .venv/installed
fi
mkdir -p dist
# What Python compiled for itself is not for the component.
find src vendor -name __pycache__ -exec rm -r {} +
.venv/bin/componentize-py --wit-path vendor/wharf/wit --world function \
    componentize --python-path src --python-path vendor wharf.component --output dist/app.wasm
