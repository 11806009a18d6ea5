"""A model in Stable Diffusion 2.1's layout with few channels and random weights, for runs without a download."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from headsup.model.backbone import description
from headsup.model.text_encoder import TOKENS
from headsup.weights.diffusers_folder import save_scheduler

WIDTH = 16
"""Channels of the text encoder, and of the deeper blocks of denoiser and autoencoder."""

WORDS = ["a", "b", "c", "a</w>", "b</w>", "c</w>", "ab</w>", "<|startoftext|>", "<|endoftext|>"]
"""The vocabulary: three characters, one word of two of them."""

FEW_CHANNELS = {"block_out_channels": [8, WIDTH, WIDTH, WIDTH], "norm_num_groups": 8, "layers_per_block": 1}


class LetterTagger:
    """Says a for bright pictures and b for dark ones: tags that the small text encoder knows."""

    side = 8

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> list[str]:
        return ["a" if image.mean() > 0.5 else "b" for image in images]


def write_small_clip(folder: Path) -> None:
    """Write a tokenizer of `WORDS` and a CLIP text encoder of two layers into a folder of a diffusion model."""
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir(parents=True)
    (tokenizer / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(WORDS)}))
    (tokenizer / "merges.txt").write_text("#version: 0.2\na b</w>\n")
    (tokenizer / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "pad_token": "<|endoftext|>"})
    )
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(WORDS),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=WORDS.index("<|startoftext|>"),
        eos_token_id=WORDS.index("<|endoftext|>"),
    )
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")


def write_small_sd21(folder: Path) -> None:
    """Write all that a restorer takes of Stable Diffusion 2.1: denoiser, autoencoder, schedule and text encoder."""
    write_small_clip(folder)
    heads = {"attention_head_dim": [1, 2, 2, 2], "cross_attention_dim": WIDTH}
    unet = UNet2DConditionModel.from_config(description("sd21", "unet") | FEW_CHANNELS | heads)
    unet.save_pretrained(folder / "unet")
    AutoencoderKL.from_config(description("sd21", "vae") | FEW_CHANNELS).save_pretrained(folder / "vae")
    save_scheduler(folder, description("sd21", "scheduler"))
