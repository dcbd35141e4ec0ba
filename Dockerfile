# Everything that DiffSign needs, for Docker or (converted) Apptainer:
#   docker build -t diffsign . && docker run --rm -v "$PWD:/work" diffsign diffsign run my.mp4 --text "a woman" -o out
FROM python:3.11-slim-bookworm

# Blender's and OpenCV's libraries; git is what Snakemake asks for provenance.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        git libegl1 libgl1 libglib2.0-0 libgomp1 libice6 libsm6 libxext6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxxf86vm1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/diffsign
COPY pyproject.toml constraints.txt README.md LICENSE CITATION.cff Snakefile ./
COPY diffsign diffsign
COPY rules rules
COPY envs envs
COPY profiles profiles
COPY config config
COPY blender blender
RUN pip install --no-cache-dir --constraint constraints.txt --editable .

# Models, bodies and manifests are kept where a volume can be mounted.
ENV XDG_CACHE_HOME=/work/.cache HF_HOME=/work/.cache/huggingface
WORKDIR /work
CMD ["diffsign", "--help"]
