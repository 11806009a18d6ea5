"""Operations on images: resampling, and simulated further views."""
